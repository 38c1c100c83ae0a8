package org.xenolith.insight.breach;

import java.util.Optional;
import java.util.OptionalLong;
import org.xenolith.image.KernelImage;
import org.xenolith.image.Orc;
import org.xenolith.image.Symbols;

/** What an image knows of its code: names, and how to unwind. Looked up when first asked for: most runs never ask. */
public final class CodeNames {
  private final KernelImage image;
  private Symbols symbols;
  private Optional<Orc> orc;

  public CodeNames(KernelImage image) {
    this.image = image;
  }

  Optional<Orc> orc() {
    if (orc == null) {
      orc = image.orc();
    }
    return orc;
  }

  private Symbols symbols() {
    if (symbols == null) {
      symbols = image.symbols();
    }
    return symbols;
  }

  /** Whether an address is code of the image that has a name. */
  boolean isCode(long va) {
    int index = symbols().indexOf(va);
    char type = index < 0 ? '?' : symbols().type(index);
    return type == 'T' || type == 't' || type == 'W' || type == 'w';
  }

  /** The name of the function that an address belongs to, without offset; empty where there is none. */
  String function(long va) {
    int index = symbols().indexOf(va);
    return index < 0 ? "" : symbols().name(index);
  }

  /** The address of a symbol, if the image tells. */
  OptionalLong address(String name) {
    return symbols().address(name);
  }

  /** An address as Linux prints it, {@code name+0x12/0x80}, or in hex. */
  String place(long va) {
    return symbols().nearest(va).map(Symbols.Place::toString).orElseGet(() -> "0x%x".formatted(va));
  }

  /** The address behind a call, with the name of the function that calls: the call may be its last instruction. */
  String placeOfReturn(long va) {
    Optional<Symbols.Place> call = symbols().nearest(va - 1);
    return call.map(p -> "%s+0x%x/0x%x".formatted(p.name(), p.offset() + 1, p.size())).orElseGet(() -> "0x%x".formatted(va));
  }
}
