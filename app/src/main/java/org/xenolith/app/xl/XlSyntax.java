package org.xenolith.app.xl;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The syntax of xl's configuration files (Xen: docs/man/xl.cfg.5, tools/libs/util/libxlu_cfg_y.y): settings {@code key = value}, ended by
 * a line's end or a semicolon; a value is a number, a string in double or single quotes, or a list in brackets, which may span lines;
 * comments begin with #.
 */
final class XlSyntax {
  private final String text;
  private int at;
  private int line = 1;

  private XlSyntax(String text) {
    this.text = text;
  }

  /**
   * The settings in their order; a value is a String or a List of values. Of a key that is set twice the last counts.
   *
   * @throws XlException if the text is no configuration; the message begins with the line's number
   */
  static Map<String, Object> parse(String text) {
    XlSyntax syntax = new XlSyntax(text);
    Map<String, Object> settings = new LinkedHashMap<>();
    while (syntax.skip(true)) {
      String key = syntax.key();
      boolean adds = syntax.peek("+=");
      syntax.expect(adds ? "+=" : "=");
      Object value = syntax.value();
      settings.put(key, adds && settings.containsKey(key) ? sum(settings.get(key), value) : value);
      syntax.endOfSetting();
    }
    return settings;
  }

  private static Object sum(Object first, Object second) {
    if (first instanceof List<?> a && second instanceof List<?> b) {
      List<Object> all = new ArrayList<>(a);
      all.addAll(b);
      return all;
    }
    return first + String.valueOf(second);
  }

  private String key() {
    int start = at;
    while (at < text.length() && (Character.isLetterOrDigit(text.charAt(at)) || text.charAt(at) == '_')) {
      at++;
    }
    if (start == at || Character.isDigit(text.charAt(start))) {
      throw wrong("a setting's name is wanted");
    }
    return text.substring(start, at);
  }

  private Object value() {
    skip(false);
    char c = at < text.length() ? text.charAt(at) : '\n';
    if (c == '"' || c == '\'') {
      return string(c);
    }
    if (c == '[') {
      return list();
    }
    int start = at;
    while (at < text.length() && Character.isLetterOrDigit(text.charAt(at))) {
      at++;
    }
    String number = text.substring(start, at);
    if (!number.matches("[0-9]+|0[xX][0-9a-fA-F]+")) {
      throw wrong("a number, a string in quotes or a list is wanted");
    }
    return Long.toString(Long.decode(number.matches("0[0-9]+") ? number.replaceFirst("^0+(?=.)", "") : number));
  }

  private String string(char quote) {
    StringBuilder value = new StringBuilder();
    at++;
    while (true) {
      if (at >= text.length() || text.charAt(at) == '\n') {
        throw wrong("a string's closing quote is missing");
      }
      char c = text.charAt(at++);
      if (c == quote) {
        return value.toString();
      }
      if (c == '\\' && at < text.length() && quote == '"') {
        c = text.charAt(at++);
        c = c == 'n' ? '\n' : c == 't' ? '\t' : c;
      }
      value.append(c);
    }
  }

  private List<Object> list() {
    List<Object> values = new ArrayList<>();
    at++;
    while (true) {
      if (!skip(true)) {
        throw wrong("a list's closing bracket is missing");
      }
      if (text.charAt(at) == ']') {
        at++;
        return values;
      }
      values.add(value());
      if (!skip(true)) {
        throw wrong("a list's closing bracket is missing");
      }
      if (text.charAt(at) == ',') {
        at++;
      } else if (text.charAt(at) != ']') {
        throw wrong("a comma or a closing bracket is wanted");
      }
    }
  }

  private boolean peek(String token) {
    skip(false);
    return text.startsWith(token, at);
  }

  private void expect(String token) {
    if (!peek(token)) {
      throw wrong("'" + token + "' is wanted");
    }
    at += token.length();
  }

  private void endOfSetting() {
    skip(false);
    if (at < text.length() && text.charAt(at) != '\n' && text.charAt(at) != ';') {
      throw wrong("the end of the line is wanted");
    }
  }

  /** Skips blanks and comments, and with {@code lines} also ends of settings; false at the end of the text. */
  private boolean skip(boolean lines) {
    while (at < text.length()) {
      char c = text.charAt(at);
      if (c == '#') {
        while (at < text.length() && text.charAt(at) != '\n') {
          at++;
        }
      } else if (c == '\n' && lines) {
        line++;
        at++;
      } else if (c == ' ' || c == '\t' || c == '\r' || c == ';' && lines) {
        at++;
      } else {
        break;
      }
    }
    return at < text.length();
  }

  private XlException wrong(String what) {
    return new XlException("line %d: %s".formatted(line, what));
  }
}
