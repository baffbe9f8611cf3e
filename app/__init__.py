"""The demo application: the backend of an AI-agent product."""
