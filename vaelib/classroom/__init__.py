"""What a course needs around the method: checks of claims, figures, explorers, the marking of exercises. Nothing else imports it."""
