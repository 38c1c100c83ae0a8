package org.xenolith.xen;

import java.util.List;
import org.xenolith.xen.rules.Rule;
import org.xenolith.xen.rules.XenLine;

/**
 * A rule broken, with everything that was known where it happened. Numbers only: names are for whoever knows the guest's symbols.
 *
 * @param rule which
 * @param within {@link Rule#WHOLE_TABLE} where it was one entry of a frame that was to become a table, or null
 * @param effect what followed for the guest
 * @param message one sentence with raw addresses
 * @param mfn the frame concerned, or -1
 * @param errno the result given to the guest, such as -22; 0 unless the effect is {@link Effect#REFUSED}
 * @param lines what a real Xen prints, in its order, with these very numbers
 * @param slots the entry refused and, behind it, those of higher tables that led there
 * @param operation what the guest did, or null where that is only the instruction at RIP
 */
public record Breach(
    Rule rule,
    Rule within,
    Effect effect,
    String message,
    long mfn,
    int errno,
    List<XenLine> lines,
    List<Slot> slots,
    Operation operation) {

  /** What follows for the guest. */
  public enum Effect {
    /** A hypercall answers a negative error number. */
    REFUSED,
    /** The guest gets a fault. */
    FAULT,
    /** The domain ends. */
    CRASH,
    /** Nothing, on this Xen: others, or the guest itself later, are worse off. */
    TOLERATED
  }

  /**
   * An entry of a page table.
   *
   * @param level of the table, 1 to 4
   * @param tableMfn the table
   * @param slot 0 to 511
   * @param entry what it was to hold, or held
   */
  public record Slot(int level, long tableMfn, int slot, long entry) {}

  /**
   * What the guest asked for.
   *
   * @param hypercall its number, or -1 for a store or another instruction
   * @param arguments the hypercall's five
   * @param batchVa where its multicall entry lies in the guest, or 0
   * @param batchIndex which entry of the multicall
   * @param batchSize entries of the multicall
   * @param request which request of the call's list, or -1
   * @param requests how many the list has
   * @param requestVa where the request lies in the guest
   * @param words the request's 64-bit words
   * @param va the address stored to or mapped, or 0
   * @param value what was to be stored
   */
  public record Operation(
      int hypercall,
      List<Long> arguments,
      long batchVa,
      long batchIndex,
      long batchSize,
      int request,
      int requests,
      long requestVa,
      List<Long> words,
      long va,
      long value) {

    /** A store, or another instruction, that concerns an address. */
    public static Operation instruction(long va, long value) {
      return new Operation(-1, List.of(), 0, 0, 0, -1, 0, 0, List.of(), va, value);
    }
  }

  /** A rule broken by the instruction at RIP. */
  public static Breach byInstruction(Rule rule, Effect effect, String message, XenLine... lines) {
    return new Breach(rule, null, effect, message, -1, 0, List.of(lines), List.of(), null);
  }
}
