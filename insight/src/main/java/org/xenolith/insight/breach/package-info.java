/**
 * Broken rules explained: what the guest did, from where, what became of the frame before, and what a real Xen would have said. What is
 * not known at the moment itself is found by repeating the run, which repeats exactly, and recording.
 */
package org.xenolith.insight.breach;
