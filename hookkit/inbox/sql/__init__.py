"""The SQL that both databases share."""
