package org.xenolith.insight;

/** Names for the addresses of a guest. */
@FunctionalInterface
public interface Names {
  /** The symbol at or before a linear address with the offset in hex ("start_kernel+0x1c"), or null where no symbol is near. */
  String name(long va);

  /** Knows none. */
  Names NONE = va -> null;

  /** An address in hex, with its name behind it where there is one. */
  default String describe(long va) {
    String name = name(va);
    String hex = String.format("%016x", va);
    return name == null ? hex : hex + " " + name;
  }
}
