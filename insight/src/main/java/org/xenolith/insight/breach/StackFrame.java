package org.xenolith.insight.breach;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A place on a guest's stack.
 *
 * @param address in the function: of the next instruction, or behind the call
 * @param function its name without offset, or "" where none is known
 * @param place the name with offset and size, or the address in hex
 * @param certain whether the unwinder knows it; otherwise it is a word on the stack that looks like a return address
 */
public record StackFrame(long address, String function, String place, boolean certain) {
  /** As lines of a report; {@code ?} as Linux marks what is uncertain. */
  @Override
  public String toString() {
    return (certain ? "" : "? ") + place;
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("address", "0x%x".formatted(address));
    map.put("place", place);
    map.put("certain", certain);
    return map;
  }
}
