"""What is read from Azure, each subject in a module: values of the model come out."""
