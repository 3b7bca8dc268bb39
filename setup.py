"""Install the ROS 2 package: colcon builds it as ament_python."""

from glob import glob

from setuptools import find_packages, setup

PACKAGE = "pilotnet_brain"
SHARE = f"share/{PACKAGE}"

setup(
    name=PACKAGE,
    version="0.1.0",
    description="Drives a simulated car live with a TorchScript network, and measures the drive",
    maintainer="PilotNet Brain developers",
    maintainer_email="maintainers@example.org",
    license="Apache-2.0",
    packages=find_packages(include=[PACKAGE, f"{PACKAGE}.*"]),
    package_data={
        f"{PACKAGE}.circuits": ["data/*.csv"],
        f"{PACKAGE}.metrics": ["published.yaml"],
        f"{PACKAGE}.report.page": ["templates/*"],
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{PACKAGE}"]),
        (SHARE, ["package.xml"]),
        (f"{SHARE}/launch", glob("launch/*.launch.py")),
        (f"{SHARE}/config", glob("config/*.*")),
        (f"{SHARE}/config/presets", glob("config/presets/*.yaml")),
        (f"{SHARE}/models", glob("models/*")),
        (f"{SHARE}/benchmarks", glob("benchmarks/*.yaml")),
        (f"{SHARE}/circuits", glob(f"{PACKAGE}/circuits/data/*.csv")),
    ],
    # The dependencies are in package.xml (rosdep) and requirements/ (pip), so that an installation
    # under ROS never pulls in wheels next to ROS' own packages.
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "console_scripts": [
            f"brain = {PACKAGE}.executables:brain",
            f"metrics = {PACKAGE}.executables:metrics",
            f"simulator = {PACKAGE}.executables:simulator",
            f"gazebo_server = {PACKAGE}.executables:gazebo_server",
            f"gz_server = {PACKAGE}.executables:gz_server",
            f"gz_bridge = {PACKAGE}.executables:gz_bridge",
            f"gazebo_bridge = {PACKAGE}.executables:gazebo_bridge",
            f"guard = {PACKAGE}.executables:guard",
            f"expert = {PACKAGE}.executables:expert",
            f"recorder = {PACKAGE}.executables:recorder",
            f"teleop = {PACKAGE}.executables:teleop",
            f"pilotnet = {PACKAGE}.cli:main",
        ],
    },
)
