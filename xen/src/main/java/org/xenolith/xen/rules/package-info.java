/**
 * The rulebook: what Xen demands of a PV guest, each demand once, with what a real Xen answers and prints. Whoever enforces a rule names
 * it by its constant; {@code docs/rules} is written from the same constants.
 */
package org.xenolith.xen.rules;
