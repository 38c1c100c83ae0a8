package org.xenolith.app;

import static org.assertj.core.api.Assertions.assertThat;
import static org.xenolith.isa.Operand.gpr;
import static org.xenolith.isa.Operand.imm;
import static org.xenolith.isa.Operand.mem;
import static org.xenolith.isa.Operand.register;

import com.fasterxml.jackson.jr.ob.JSON;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.isa.Assembler;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/** {@code xenolith check} with guests of a few instructions: what it says, and what it answers scripts. */
@Timeout(120)
class CheckTest {
  private static final long CODE = 0x100000, SPARE_PAGE = 0x181000, STACK = 0x190000;

  @TempDir static Path temp;

  private static final Consumer<Assembler> KEEPS = a -> {};

  private static final Consumer<Assembler> MAPS_ITS_ROOT_WRITABLE = a -> {
    a.emit(Mnemonic.MOV, gpr(Assembler.RSI), register(OperandKind.CR, 3)).emit(Mnemonic.OR, gpr(Assembler.RSI), imm(0x67));
    a.mov(Assembler.RDI, SPARE_PAGE).mov(Assembler.RDX, 0).mov(Assembler.RAX, 14).emit(Mnemonic.SYSCALL);
  };

  /** What is on the stack's page is a zero on most machines. */
  private static final Consumer<Assembler> COUNTS_ON_ZEROS = a -> {
    Assembler.Label zero = a.newLabel();
    a.mov(Assembler.RBX, STACK).emit(Mnemonic.CMP, mem(Assembler.RBX, 0), imm(0));
    a.jcc(Assembler.E, zero);
    MAPS_ITS_ROOT_WRITABLE.accept(a);
    a.bind(zero);
  };

  private static final Consumer<Assembler> CRASHES = a -> a.emit(Mnemonic.UD2);

  private static String guest(String name, Consumer<Assembler> body) throws IOException {
    Assembler a = new Assembler(CODE);
    a.mov(Assembler.RSP, STACK);
    body.accept(a);
    a.mov(Assembler.RDI, 2).emit(Mnemonic.PUSH, imm(0)).emit(Mnemonic.MOV, gpr(Assembler.RSI), gpr(Assembler.RSP));
    a.mov(Assembler.RAX, 29).emit(Mnemonic.SYSCALL);
    byte[] code = a.toBytes();
    ByteBuffer elf = ByteBuffer.allocate(0x1000 + code.length).order(ByteOrder.LITTLE_ENDIAN);
    elf.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1}).position(16);
    elf.putShort((short) 2).putShort((short) 62).putInt(1).putLong(CODE).putLong(64).putLong(0).putInt(0);
    elf.putShort((short) 64).putShort((short) 56).putShort((short) 2).putShort((short) 64).putShort((short) 0).putShort((short) 0);
    elf.putInt(1).putInt(7).putLong(0x1000).putLong(CODE).putLong(CODE).putLong(code.length).putLong(code.length).putLong(0x1000);
    elf.putInt(4).putInt(4).putLong(0x200).putLong(0).putLong(0).putLong(48).putLong(48).putLong(4);
    elf.position(0x200);
    note(elf, 5, "xen-3.0");
    note(elf, 8, "generic");
    elf.position(0x1000);
    elf.put(code);
    return Files.write(temp.resolve(name), elf.array()).toString();
  }

  private static void note(ByteBuffer elf, int type, String text) {
    elf.putInt(4).putInt(8).putInt(type).put("Xen\0".getBytes(StandardCharsets.US_ASCII));
    elf.put(Arrays.copyOf(text.getBytes(StandardCharsets.US_ASCII), 8));
  }

  private static XenolithProcess.Result check(String guest, String... more) throws Exception {
    String initrd = Files.write(temp.resolve("initrd"), new byte[512]).toString();
    List<String> all = new ArrayList<>(List.of("check", guest, "--initrd", initrd, "--memory", "16M"));
    all.addAll(List.of(more));
    if (!all.contains("--max-instructions")) {
      all.addAll(List.of("--max-instructions", "1000000"));
    }
    return XenolithProcess.run("", all.toArray(String[]::new));
  }

  @Test
  void aGuestThatKeepsTheRulesIsTriedWithTwoSeeds() throws Exception {
    XenolithProcess.Result result = check(guest("keeps", KEEPS));
    assertThat(result.status()).as(result.err()).isZero();
    assertThat(result.out()).contains("seed 0: keeps Xen's rules").contains("seed 1: keeps Xen's rules");
  }

  @Test
  void whatCannotBeJudgedIsSaid() throws Exception {
    Path container = Path.of(guest("container", KEEPS));
    ByteBuffer elf = ByteBuffer.wrap(Files.readAllBytes(container)).order(ByteOrder.LITTLE_ENDIAN);
    // In place of the notes of a PV guest that of a container: PHYS32_ENTRY.
    elf.position(0x200).putInt(4).putInt(8).putInt(18).put("Xen\0".getBytes(StandardCharsets.US_ASCII)).putLong(CODE);
    elf.putInt(4).putInt(8).putInt(6).put("Xen\0".getBytes(StandardCharsets.US_ASCII)).put("another\0".getBytes(StandardCharsets.US_ASCII));
    Files.write(container, elf.array());
    XenolithProcess.Result result = check(container.toString());
    assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
    assertThat(result.err()).contains("not a Xen PV guest").contains("check judges what a PV guest does").contains("--mode pvh");
    assertThat(check(container.toString(), "--bisect").status()).isEqualTo(CheckVerdict.SKIP);

    result = check(guest("keeps", KEEPS), "--mode", "bare");
    assertThat(result.status()).isEqualTo(ExitStatus.USAGE);
    assertThat(result.err()).contains("the kernel owns them").contains("boot --mode bare");
  }

  @Test
  @SuppressWarnings("unchecked")
  void aBrokenRuleIsExplainedInEveryForm() throws Exception {
    String guest = guest("breaks", MAPS_ITS_ROOT_WRITABLE);
    XenolithProcess.Result text = check(guest);
    assertThat(text.status()).as(text.err()).isEqualTo(ExitStatus.RULE_BROKEN);
    assertThat(text.out())
        .startsWith("R5, what is a table or holds descriptors is mapped read-only: in ")
        .contains("update_va_mapping(0x181000, ")
        .contains("-16 (-EBUSY)")
        .contains("Could not get page type PGT_writable_page")
        .contains("What usually mends it")
        .endsWith("breaks breaks Xen's rules\n");

    Path page = temp.resolve("page.html");
    XenolithProcess.Result json = check(guest, "--summary", "json", "--report", page.toString());
    Map<String, Object> report = JSON.std.mapFrom(json.out());
    assertThat(report).containsEntry("outcome", "rule-broken").containsEntry("verdict", "breaks Xen's rules");
    Map<String, Object> breach = ((List<Map<String, Object>>) report.get("breaches")).getFirst();
    assertThat(breach).containsEntry("rule", "R5").containsEntry("errno", -16).containsEntry("effect", "refused");
    assertThat((List<Object>) breach.get("slots")).hasSize(1);
    assertThat((List<Object>) breach.get("xen_prints")).hasSize(3);
    assertThat(Files.readString(page))
        .startsWith("<!DOCTYPE html>")
        .contains("<p class=\"verdict bad\">The kernel breaks Xen's rules.</p>")
        .contains("<h3>The frame's history</h3>")
        .doesNotContain("http");
  }

  @Test
  void whatIsLeftInMemoryIsTriedToo() throws Exception {
    XenolithProcess.Result result = check(guest("zeros", COUNTS_ON_ZEROS));
    assertThat(result.status()).as(result.err()).isEqualTo(ExitStatus.RULE_BROKEN);
    assertThat(result.out()).contains("seed 0: keeps Xen's rules").contains("seed 1: breaks Xen's rules");
    assertThat(check(guest("zeros", COUNTS_ON_ZEROS), "--seeds", "1").status()).isZero();
  }

  @Test
  void bisectIsAnsweredInItsOwnNumbers() throws Exception {
    assertThat(check(guest("keeps", KEEPS), "--bisect", "--summary", "none").status()).isZero();
    assertThat(check(guest("breaks", MAPS_ITS_ROOT_WRITABLE), "--bisect", "--summary", "none").status()).isEqualTo(1);
    assertThat(check(guest("keeps", KEEPS), "--bisect", "--summary", "none", "--max-instructions", "2").status()).isEqualTo(125);
    assertThat(check(temp.resolve("never built").toString(), "--bisect").status()).isEqualTo(125);
  }

  @Test
  void aCrashIsExplainedByTheHandlerThatIsMissing() throws Exception {
    XenolithProcess.Result result = check(guest("crashes", CRASHES));
    assertThat(result.status()).isEqualTo(ExitStatus.RULE_BROKEN);
    assertThat(result.out()).contains("R36").contains("no handler: unhandled exception 6");
    assertThat(result.out()).contains("domain_crash_sync called from entry.S");
  }
}
