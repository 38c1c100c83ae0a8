/** Time as guests get it, whichever kind they are. */
package org.xenolith.xen.time;
