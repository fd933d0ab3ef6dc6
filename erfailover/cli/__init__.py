"""The command line: commands, options, help, exit codes; importing it costs next to nothing."""
