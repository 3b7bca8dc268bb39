"""Protobuf messages described by a table, instead of by ``.proto`` files.

There is nothing to generate, and generated code would only run with the protobuf release that it
was made for. protobuf skips fields that are not listed, so a table holds what is needed only.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message, message_factory

_FIELD = descriptor_pb2.FieldDescriptorProto
_KINDS = ("bool", "bytes", "double", "int32", "int64", "string", "uint32", "uint64")


class BrokenMessage(ValueError):  # noqa: N818  (named by what it is)
    """Bytes that are not the message they should be."""


class MessageTable:
    """The messages of one protobuf package.

    Args:
        package: such as ``gazebo.msgs``.
        syntax: ``proto2`` or ``proto3``.
        rows: a line for each message, ``Name: label type name number; label ...``; a line that
            begins with a space goes on the one before.
    """

    def __init__(self, package: str, syntax: str, rows: str) -> None:
        self._package = package
        file = descriptor_pb2.FileDescriptorProto(
            name=f"pilotnet_brain/{package}.proto", package=package, syntax=syntax
        )
        for line in rows.strip().replace("\n ", "").splitlines():
            self._describe(file, *line.split(":"))
        # A separate pool: another package in this process may have the full descriptions.
        pool = descriptor_pool.DescriptorPool()
        pool.Add(file)
        self._classes = message_factory.GetMessageClassesForFiles([file.name], pool)

    def _describe(
        self, file: descriptor_pb2.FileDescriptorProto, message_name: str, fields: str
    ) -> None:
        described = file.message_type.add(name=message_name)
        for row in fields.split(";"):
            label, kind, name, number = row.split()
            field = described.field.add(name=name, number=int(number))
            field.label = _FIELD.Label.Value(f"LABEL_{label.upper()}")
            if kind in _KINDS:
                field.type = _FIELD.Type.Value(f"TYPE_{kind.upper()}")
            else:
                field.type = _FIELD.TYPE_MESSAGE
                field.type_name = f".{self._package}.{kind}"

    def new(self, name: str, /, **fields: Any) -> Any:
        """Return a message, such as ``new("Time", sec=1, nsec=0)``.

        Raises:
            KeyError: the table has no such message.
        """
        return self._classes[self.type_name(name)](**fields)

    def parse(self, name: str, data: bytes | memoryview) -> Any:
        """Return the message that `data` holds.

        Raises:
            KeyError: the table has no such message.
            BrokenMessage: the data is no such message.
        """
        try:
            parsed = self._classes[self.type_name(name)].FromString(bytes(data))
        except message.DecodeError as problem:
            raise BrokenMessage(f"not a {self.type_name(name)}: {problem}") from problem
        if not parsed.IsInitialized():
            missing = ", ".join(parsed.FindInitializationErrors())
            raise BrokenMessage(f"not a {self.type_name(name)}: without {missing}")
        return parsed

    def type_name(self, name: str) -> str:
        """Return a message's full name, as publishers and subscribers state it."""
        return f"{self._package}.{name}"
