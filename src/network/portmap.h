/* Uninstalling what the CNI plugin portmap made. */
#pragma once

/* Its chains, if no mapping of anybody is left in them, and the table that they stood in, if nothing else does. */
void portmap_remove_all(void);
