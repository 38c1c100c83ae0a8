package org.xenolith.insight;

import org.xenolith.image.Symbols;

/** The names that a kernel's image has for its addresses. Looked up in the image when first asked for: most runs never ask. */
public final class SymbolNames implements Names {
  /** Gives the symbols; finding them takes time. */
  @FunctionalInterface
  public interface Finder {
    Symbols symbols();
  }

  private final Finder finder;

  public SymbolNames(Finder finder) {
    this.finder = finder;
  }

  @Override
  public String name(long va) {
    return finder.symbols().nearest(va).map(place -> "%s+0x%x".formatted(place.name(), place.offset())).orElse(null);
  }
}
