"""What light, air, sensors and files do to a picture of the ground."""
