package org.xenolith.cpu;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPInputStream;

/**
 * Instructions with the state before and after them, recorded on a processor (AMD Zen 4). A line is the code in hex, then what it reads as
 * {@code name=high:low} or {@code name=value} in hex, {@code >}, and what came of it; the text behind {@code #} is the instruction.
 *
 * <p>Names: m MXCSR, x SSE registers, m0 to m7 MMX registers, r general registers, f arithmetic flags; c s t x87 control, status and
 * abridged tag word, p x87 registers by physical number, d 16 bytes of memory at rsi, a ax. {@code trap} is an unmasked SSE exception.
 */
record RecordedVectors(String line, String code, Map<String, long[]> before, Map<String, long[]> after) {
  static List<RecordedVectors> load(String resource) throws IOException {
    List<RecordedVectors> vectors = new ArrayList<>();
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(new GZIPInputStream(RecordedVectors.class.getResourceAsStream(resource)), StandardCharsets.US_ASCII))) {
      for (String line = reader.readLine(); line != null; line = reader.readLine()) {
        String[] halves = line.substring(0, line.indexOf('#')).trim().split(" > ");
        int space = halves[0].indexOf(' ');
        vectors.add(new RecordedVectors(line, halves[0].substring(0, space), values(halves[0].substring(space + 1)), values(halves[1])));
      }
    }
    return vectors;
  }

  private static Map<String, long[]> values(String text) {
    Map<String, long[]> values = new LinkedHashMap<>();
    for (String field : text.trim().split(" ")) {
      int equals = field.indexOf('=');
      if (equals < 0) {
        values.put(field, new long[0]);
        continue;
      }
      String value = field.substring(equals + 1);
      int colon = value.indexOf(':');
      long low = Long.parseUnsignedLong(value.substring(colon + 1), 16);
      long high = colon < 0 ? 0 : Long.parseUnsignedLong(value.substring(0, colon), 16);
      values.put(field.substring(0, equals), new long[] {low, high});
    }
    return values;
  }
}
