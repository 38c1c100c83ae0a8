package org.xenolith.isa;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Compares the decoder with the system's objdump over a piece of code, in length and mnemonic, wherever objdump says that an instruction
 * begins. The printer gives mnemonics as objdump does, so little has to be evened out; {@link #RULES} is all of it.
 */
final class Objdump {
  /** A pattern in objdump's mnemonics, what it is replaced with before comparing, and why. The same is done to ours. */
  record Rule(Pattern pattern, String replacement, String reason) {
    Rule(String pattern, String replacement, String reason) {
      this(Pattern.compile(pattern), replacement, reason);
    }
  }

  static final List<Rule> RULES =
      List.of(
          new Rule("tzcnt", "bsf", "F3 0F BC without BMI1 is BSF"),
          new Rule("lzcnt", "bsr", "F3 0F BD without ABM is BSR"),
          new Rule("wbnoinvd", "wbinvd", "F3 0F 09 without the feature is WBINVD"),
          new Rule("cldemote|bnd(ldx|stx|mov|mk|cl|cu|cn)|rdssp[dq]", "nop", "hints of 0F 19 to 0F 1F are NOP without the feature"),
          new Rule("nop[wlq]", "nop", "objdump shows a suffix on some register forms of the NOP hints and none on others"),
          new Rule("vcmp.*(ps|pd|ss|sd)", "vcmp$1", "the predicate is part of the mnemonic; VEX and EVEX rows do not tell immediates"),
          new Rule("vpcmp(eq|lt|le|neq|nlt|nle)(u?)([bwdq])", "vpcmp$2$3", "likewise"),
          new Rule("(v?pclmul).*", "$1", "likewise; objdump takes bit 1 of the immediate for bit 4 in some"),
          new Rule("(fn.*)\\((8087|287)", "$1", "a remark of objdump's on what processors ignore"),
          new Rule(
              "(vcvtt?pd2u?dq|vcvt(?:pd|u?qq)2ps|vcvtu?si2s[sd]|vfpclassp[sd])[xyzlq]",
              "$1",
              "a suffix for the size of memory; VEX and EVEX rows do not tell sizes"));

  /**
   * Operands are compared, too, but not of VEX and EVEX rows, which do not tell them, not of short branches with 66, whose target objdump
   * leaves whole, and not of these.
   */
  static final Set<Mnemonic> OTHER_OPERANDS =
      EnumSet.of(
          // implicit registers are shown
          Mnemonic.MONITOR, Mnemonic.MONITORX, Mnemonic.MWAIT, Mnemonic.MWAITX, Mnemonic.XLAT,
          // a register source is shown wider than it is read
          Mnemonic.LAR, Mnemonic.LSL, Mnemonic.MOVSXD,
          // the mnemonic may be another, see RULES
          Mnemonic.NOP, Mnemonic.PCLMULQDQ, Mnemonic.FNENI, Mnemonic.FNDISI, Mnemonic.FNSETPM);

  /** What objdump prints in front of mnemonics. */
  private static final Set<String> PREFIXES =
      Set.of(
          "lock", "rep", "repz", "repnz", "data16", "addr32", "addr16", "cs", "ds", "es", "ss", "fs", "gs", "bnd", "notrack", //
          "{vex}", "{evex}");

  private static final int FWAIT = 0x9b;

  private final Decoder decoder = new Decoder();
  private final CpuMode mode;

  /** Up to twenty differences, for people to read. */
  final List<String> differences = new ArrayList<>();

  int instructions;
  int different;

  Objdump(CpuMode mode) {
    this.mode = mode;
  }

  static boolean isInstalled() {
    try {
      return new ProcessBuilder("objdump", "--version").redirectErrorStream(true).start().waitFor() == 0;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  void compare(byte[] code, long address) throws IOException, InterruptedException {
    Path file = Files.createTempFile("xenolith-isa", ".bin");
    try {
      Files.write(file, code);
      String machine = mode == CpuMode.LONG64 ? "i386:x86-64" : "i386";
      Process objdump =
          new ProcessBuilder(
                  "objdump", "-Dwz", "-b", "binary", "-m", machine, "--adjust-vma=0x" + Long.toHexString(address), file.toString())
              .redirectErrorStream(true)
              .start();
      try (BufferedReader lines = objdump.inputReader()) {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
          compareLine(code, address, line);
        }
      }
      if (objdump.waitFor() != 0) {
        throw new IOException("objdump failed");
      }
    } finally {
      Files.delete(file);
    }
  }

  /** A line is address, colon, tab, bytes in hex, tab, text. */
  private void compareLine(byte[] code, long address, String line) {
    String[] columns = line.split("\t");
    if (columns.length < 2 || !columns[0].endsWith(":")) {
      return;
    }
    long at = Long.parseUnsignedLong(columns[0].strip().replace(":", ""), 16);
    int length = (columns[1].strip().length() + 1) / 3;
    String text = columns.length > 2 ? columns[2].strip() : "(no text)";
    instructions++;
    int offset = (int) (at - address);
    if (length > 1 && (code[offset] & 0xff) == FWAIT) { // objdump joins FWAIT and FNINIT to FINIT and so on; they are two instructions
      at++;
      offset++;
      length--;
      text = text.replaceFirst("^f", "fn");
    }
    Instruction ours = decoder.decode(code, offset, code.length, at, mode);
    boolean agree =
        ours != null
            && ours.length == length
            && normalize(mnemonic(text)).equals(normalize(Printer.mnemonic(ours)))
            && (!comparesOperands(ours) || operands(text).equals(operands(Printer.print(ours))));
    if (!agree) {
      different++;
      if (differences.size() < 20) {
        String ourLength = ours == null ? "" : ", " + ours.length;
        differences.add(Long.toHexString(at) + ": " + columns[1].strip() + ": objdump " + text + ", we " + ours + ourLength);
      }
    }
  }

  /** objdump's mnemonic: the first word that is no prefix. "(bad)" within operands does not count. */
  private static String mnemonic(String text) {
    String[] words = text.split("\\s+");
    int i = 0;
    while (i < words.length - 1 && (PREFIXES.contains(words[i]) || words[i].startsWith("rex"))) {
      i++;
    }
    return words[i];
  }

  private static boolean comparesOperands(Instruction in) {
    boolean shortBranch = in.kind0 == OperandKind.REL && in.encoding.operand(0).width == Width.B;
    return !in.encoding.isVex()
        && !in.encoding.isEvex()
        && !OTHER_OPERANDS.contains(in.mnemonic)
        && !(shortBranch && in.has(Instruction.OPERAND_SIZE));
  }

  /** What follows the mnemonic, without comments and without displacements of zero. */
  private static String operands(String text) {
    int comment = text.indexOf('#');
    String[] words = (comment < 0 ? text : text.substring(0, comment)).strip().split("\\s+");
    String last = words[words.length - 1];
    boolean has = words.length > 1 && !PREFIXES.contains(words[words.length - 2]) || last.indexOf('%') >= 0;
    return has ? last.replace("0x0(", "(") : "";
  }

  private static String normalize(String mnemonic) {
    for (Rule rule : RULES) {
      var matcher = rule.pattern.matcher(mnemonic);
      if (matcher.matches()) {
        return matcher.replaceFirst(rule.replacement);
      }
    }
    return mnemonic;
  }
}
