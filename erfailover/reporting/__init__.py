"""What commands print: text for people and plain data, each subject in a module. Pure."""
