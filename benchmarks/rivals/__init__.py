"""What framejury is measured against: one module a rival, none of them uses framejury's engine."""
