"""The web kit on which the applications stand. `docs/web-kit.md` shows it to authors of applications."""
