"""Training of the shipped networks: data, augmentation, losses, one resumable loop."""
