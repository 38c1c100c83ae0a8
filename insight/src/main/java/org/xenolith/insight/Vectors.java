package org.xenolith.insight;

import java.util.Map;
import java.util.TreeMap;

/** Names of interrupt and exception vectors (Intel SDM volume 3, table 6-1). */
public final class Vectors {
  private static final String[] NAMES = {
    "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "9", "#TS", "#NP", "#SS", "#GP", "#PF", "15", "#MF", "#AC", "#MC", "#XM"
  };

  private Vectors() {}

  /** The mnemonic of an exception, or the number. */
  public static String name(int vector) {
    return vector < NAMES.length ? NAMES[vector] : Integer.toString(vector);
  }

  /** Counts by name instead of number. */
  public static Map<String, Long> named(Map<Integer, Long> counts) {
    Map<String, Long> map = new TreeMap<>();
    counts.forEach((vector, count) -> map.put(name(vector), count));
    return map;
  }
}
