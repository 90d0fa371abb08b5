"""Published files in, labelled arrays out: one module per dataset."""
