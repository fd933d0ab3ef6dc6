"""The shell of a run command, and the programs that it knows."""
