"""What "similar" means: surface, perceptual and adversarial losses, and the balancer between them."""
