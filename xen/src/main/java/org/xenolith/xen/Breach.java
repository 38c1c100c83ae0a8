package org.xenolith.xen;

/**
 * A refusal, with everything that was known where it happened.
 *
 * @param rule the rule's number in the rulebook, such as "R5"
 * @param message one sentence with raw addresses
 * @param mfn the frame concerned, or -1
 * @param errno the result given to the guest, such as -22; 0 where it was a fault or a crash
 */
public record Breach(String rule, String message, long mfn, int errno) {}
