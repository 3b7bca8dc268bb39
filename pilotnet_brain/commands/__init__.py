"""The subcommands of ``pilotnet``, thin: options in, a call into the rooms, a text out."""
