package org.xenolith.insight.gdb;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.xenolith.cpu.Cpu;
import org.xenolith.insight.Names;
import org.xenolith.machine.RunOutcome;

/** The protocol with a client in this process, and a computer of a few instructions. */
@Timeout(60)
class GdbStubTest {
  private static final long CODE = SmallComputer.CODE, DATA = SmallComputer.DATA;

  /** mov ecx,1000; mov ebx,0x200000; inc qword [rbx+8*rdi]; add rax,[rbx]; dec ecx; jnz back; ud2. */
  private static final String COUNT = "b9 e8 03 00 00 bb 00 00 20 00 48 ff 04 fb 48 03 03 ff c9 75 f5 0f 0b";

  /** jmp to itself. */
  private static final String FOR_EVER = "eb fe";

  private GdbServer server;
  private SmallComputer computer;
  private CompletableFuture<RunOutcome> run;

  private Client start(int processors, String code) throws IOException {
    server = GdbServer.listen(GdbAddress.parse("0"));
    computer = new SmallComputer(processors, code);
    GdbStub stub = new GdbStub(computer, server, MonitorCommands.of(computer, Names.NONE), line -> {});
    run =
        CompletableFuture.supplyAsync(
            () -> {
              RunOutcome outcome = computer.run(Long.MAX_VALUE);
              stub.ended(outcome, outcome.kind() == RunOutcome.Kind.POWEROFF ? 0 : 1);
              return outcome;
            });
    return connect();
  }

  private Client connect() throws IOException {
    return new Client(server.address().port());
  }

  private RunOutcome outcome() throws Exception {
    return run.get(30, TimeUnit.SECONDS);
  }

  @AfterEach
  void stop() throws Exception {
    if (computer != null) {
      computer.stop();
      outcome();
    }
    if (server != null) {
      server.close();
    }
  }

  private static String plainDigest(int processors) {
    SmallComputer plain = new SmallComputer(processors, COUNT);
    plain.run(Long.MAX_VALUE);
    return plain.digest();
  }

  private static long number(String hex) {
    return ByteBuffer.wrap(Hex.bytes(hex)).order(ByteOrder.LITTLE_ENDIAN).getLong();
  }

  private static long rip(Client gdb) throws IOException {
    return number(gdb.ask("p10"));
  }

  @Test
  void theGuestWaitsForGdbBeforeItsFirstInstruction() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      assertThat(gdb.ask("?")).startsWith("T05thread:1;");
      assertThat(rip(gdb)).isEqualTo(CODE);
      assertThat(computer.instructions()).isZero();
      assertThat(gdb.ask("vCont;c")).isEqualTo("W00");
    }
    assertThat(outcome().kind()).isEqualTo(RunOutcome.Kind.POWEROFF);
    assertThat(computer.digest()).isEqualTo(plainDigest(1));
  }

  @Test
  void breakpointsStopAtTheirAddressAndStepsGoOneInstruction() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      assertThat(gdb.ask("qSupported:swbreak+;hwbreak+")).contains("qXfer:features:read+");
      assertThat(gdb.ask("Z0,10000e,1")).isEqualTo("OK");
      assertThat(gdb.ask("vCont;c")).startsWith("T05thread:1;swbreak:;").contains("10:0e00100000000000;");
      assertThat(gdb.ask("vCont;s:1")).startsWith("T05thread:1;06:");
      assertThat(rip(gdb)).isEqualTo(CODE + 0x11);
      assertThat(gdb.ask("c")).startsWith("T05thread:1;swbreak:;");
      assertThat(number(gdb.ask("p2")) & 0xffff_ffffL).isEqualTo(999);
      assertThat(gdb.ask("z0,10000e,1")).isEqualTo("OK");
      assertThat(gdb.ask("Z1,100015,1")).isEqualTo("OK");
      assertThat(gdb.ask("c")).startsWith("T05thread:1;hwbreak:;");
      assertThat(gdb.ask("c")).isEqualTo("W00");
    }
    outcome();
    assertThat(computer.digest()).isEqualTo(plainDigest(1));
  }

  @Test
  void aRangeIsSteppedThroughInOneGo() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      assertThat(gdb.ask("vCont;r100000,100015:1")).startsWith("T05thread:1;").contains("10:1500100000000000;");
      assertThat(number(gdb.ask("p2"))).isZero();
    }
  }

  @Test
  void watchpointsTellTheAccess() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      assertThat(gdb.ask("Z2,200000,8")).isEqualTo("OK");
      assertThat(gdb.ask("c")).startsWith("T05thread:1;watch:200000;").contains("10:0e00100000000000;");
      assertThat(gdb.ask("z2,200000,8")).isEqualTo("OK");
      assertThat(gdb.ask("Z3,200004,1")).isEqualTo("OK");
      assertThat(gdb.ask("c")).startsWith("T05thread:1;rwatch:200004;").contains("10:1100100000000000;");
      assertThat(gdb.ask("z3,200004,1")).isEqualTo("OK");
      assertThat(gdb.ask("Z4,200000,1")).isEqualTo("OK");
      assertThat(gdb.ask("c")).startsWith("T05thread:1;awatch:200000;").contains("10:0e00100000000000;");
      assertThat(gdb.ask("z4,200000,1")).isEqualTo("OK");
      assertThat(gdb.ask("c")).isEqualTo("W00");
    }
    outcome();
    assertThat(computer.digest()).isEqualTo(plainDigest(1));
  }

  @Test
  void everyVcpuIsAThreadAndKeepsItsTurns() throws Exception {
    try (Client gdb = start(3, COUNT)) {
      assertThat(gdb.ask("qfThreadInfo")).isEqualTo("m1,2,3");
      assertThat(gdb.ask("qsThreadInfo")).isEqualTo("l");
      assertThat(gdb.ask("qXfer:threads:read::0,1000")).startsWith("l<?xml").contains("name=\"vcpu2\"");
      assertThat(Hex.text(gdb.ask("qThreadExtraInfo,2"))).isEqualTo("vcpu1 (runnable)");
      assertThat(gdb.ask("T3")).isEqualTo("OK");
      assertThat(gdb.ask("T4")).isEqualTo("E16");
      assertThat(gdb.ask("Hg2")).isEqualTo("OK");
      assertThat(number(gdb.ask("p5"))).isEqualTo(1);
      assertThat(gdb.ask("qC")).isEqualTo("QC2");
      // Thread 2 steps, though it is thread 1's turn; thread 1 has done its turn meanwhile, or its work.
      assertThat(gdb.ask("vCont;s:2;c")).isEqualTo("W00");
    }
    outcome();
    assertThat(computer.digest()).isEqualTo(plainDigest(3));
  }

  @Test
  void aStepOfAnotherThreadEndsInItsNextTurn() throws Exception {
    try (Client gdb = start(2, FOR_EVER)) {
      assertThat(gdb.ask("vCont;s:2;c")).startsWith("T05thread:2;");
      assertThat(computer.cpus().get(1).retired).isEqualTo(1);
      assertThat(computer.cpus().get(0).retired).isEqualTo(20_000);
      assertThat(gdb.ask("vCont;s:2")).startsWith("T05thread:2;");
      assertThat(computer.cpus().get(1).retired).isEqualTo(2);
    }
  }

  @Test
  void controlCStopsARunningGuest() throws Exception {
    try (Client gdb = start(2, FOR_EVER)) {
      gdb.tell("c");
      gdb.raw("\3");
      assertThat(gdb.hear()).startsWith("T02thread:");
      assertThat(rip(gdb)).isEqualTo(CODE);
    }
  }

  @Test
  void memoryIsReadAndWrittenByEveryKindOfAddress() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      computer.memory().writeLong(SmallComputer.TABLE, 0x28_0000 | 7); // 0x200000 is at 0x280000
      computer.memory().writeLong(0x28_0000, 0x1122_3344_5566_7788L);
      computer.memory().writeLong(0x20_0000, 0x99);
      assertThat(gdb.ask("m200000,8")).isEqualTo("8877665544332211");
      assertThat(gdb.ask("x200000,2")).isEqualTo("b\u0088w");
      assertThat(gdb.ask("Qqemu.PhyMemMode:1")).isEqualTo("OK");
      assertThat(gdb.ask("m200000,1")).isEqualTo("99");
      assertThat(gdb.ask("Qqemu.PhyMemMode:0")).isEqualTo("OK");
      assertThat(monitor(gdb, "memory machine")).isEqualTo("addresses are machine\n");
      assertThat(gdb.ask("m200000,1")).isEqualTo("99");
      assertThat(monitor(gdb, "memory virtual")).isEqualTo("addresses are virtual\n");
      assertThat(gdb.ask("M200001,2:abcd")).isEqualTo("OK");
      assertThat(gdb.ask("X200003,4:}$#*")).isEqualTo("OK");
      assertThat(gdb.ask("m200000,8")).isEqualTo("88abcd7d24232a11");
      // What is mapped is read up to where it ends; what is not is an error.
      assertThat(gdb.ask("m3ffffe,4")).isEqualTo("0000");
      assertThat(gdb.ask("m400000,4")).isEqualTo("E0e");
      assertThat(gdb.ask("M3ffffe,4:01020304")).isEqualTo("E0e");
      assertThat(gdb.ask("m3ffffe,2")).isEqualTo("0000");
      // Nothing of that counts as the guest's own access.
      assertThat(computer.memory().readLong(SmallComputer.TABLE)).isEqualTo(0x28_0007);
    }
  }

  @Test
  void registersAreDescribedReadAndWritten() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      String xml = gdb.ask("qXfer:features:read:target.xml:0,7000");
      assertThat(xml).startsWith("l<?xml").contains("org.gnu.gdb.i386.core", "name=\"cr3\"", "name=\"k_gs_base\"", "name=\"fs_base\"");
      assertThat(gdb.ask("qXfer:features:read:target.xml:0,10")).isEqualTo("m" + xml.substring(1, 17));
      Cpu cpu = computer.cpus().getFirst();
      assertThat(gdb.ask("P0=8877665544332211")).isEqualTo("OK");
      assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x1122_3344_5566_7788L);
      String all = gdb.ask("g");
      assertThat(all).startsWith("8877665544332211").hasSize(2 * (17 * 8 + 7 * 4 + 8 * 10 + 8 * 4 + 16 * 16 + 4 + 2 * 8 + 7 * 8));
      assertThat(gdb.ask("G" + "01" + all.substring(2))).isEqualTo("OK");
      assertThat(cpu.r[Cpu.RAX]).isEqualTo(0x1122_3344_5566_7701L);
      assertThat(gdb.ask("G" + all.substring(2))).isEqualTo("E16");
      assertThat(gdb.ask("P12=00000000")).isEqualTo("E16");
      assertThat(gdb.ask("P12=33000000")).isEqualTo("OK");
      // On from where it was put: to the UD2.
      assertThat(gdb.ask("P10=1500100000000000")).isEqualTo("OK");
      assertThat(gdb.ask("c")).isEqualTo("W00");
      assertThat(computer.instructions()).isZero();
    }
  }

  @Test
  void whoDetachesLetsTheGuestRunOnAndMayComeBack() throws Exception {
    try (Client gdb = start(1, FOR_EVER)) {
      assertThat(gdb.ask("Z0,100000,1")).isEqualTo("OK");
      assertThat(gdb.ask("D")).isEqualTo("OK");
    }
    try (Client gdb = connect()) {
      assertThat(gdb.ask("?")).startsWith("T02");
      assertThat(computer.instructions()).isPositive();
    }
    // It went without a word: the guest stands still.
    try (Client gdb = connect()) {
      long now = computer.instructions();
      assertThat(gdb.ask("?")).startsWith("T");
      assertThat(computer.instructions()).isEqualTo(now);
      assertThat(gdb.ask("vKill;1")).isEqualTo("OK");
    }
    assertThat(outcome().kind()).isEqualTo(RunOutcome.Kind.STOPPED);
  }

  @Test
  void aGuestThatEndsBadlyCanBeLookedAt() throws Exception {
    try (Client gdb = start(1, "0f a2 cc")) { // cpuid; int3
      assertThat(gdb.ask("c")).startsWith("T06thread:1;");
      assertThat(rip(gdb)).isEqualTo(CODE + 3);
      assertThat(gdb.ask("c")).isEqualTo("W01");
    }
  }

  @Test
  void monitorShowsPageTablesAndVcpus() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      assertThat(monitor(gdb, "help")).contains("monitor walk ADDRESS");
      assertThat(monitor(gdb, "walk 0x200000"))
          .contains("L4[0] at 1000: ", "L1[0] at 5000: 0000000000200007 present writable user", "mfn 0x200");
      assertThat(monitor(gdb, "walk 400000")).contains("L2[2]", "not present", "400000 is not mapped");
      assertThat(monitor(gdb, "walk $pc")).contains("100000 is at 100000, in a page of 4 KiB");
      assertThat(monitor(gdb, "walk $zebra")).contains("usage", "no register zebra");
      assertThat(monitor(gdb, "walk zebra")).startsWith("usage: monitor walk ADDRESS");
      assertThat(monitor(gdb, "vcpus")).contains("vcpu0 runnable  rip 0000000000100000, ring 3, 0 instructions");
      assertThat(monitor(gdb, "registers")).contains("rip=0000000000100000");
      assertThat(monitor(gdb, "frame 200")).isEqualTo("mfn 0x200: RAM, never written\n");
      assertThat(monitor(gdb, "zebra")).startsWith("unknown command: zebra");
    }
  }

  private static String monitor(Client gdb, String line) throws IOException {
    StringBuilder text = new StringBuilder();
    String packet = gdb.ask("qRcmd," + Hex.of(line));
    for (; packet.startsWith("O") && !packet.equals("OK"); packet = gdb.hear()) {
      text.append(Hex.text(packet.substring(1)));
    }
    assertThat(packet).isEqualTo("OK");
    return text.toString();
  }

  @Test
  void whatNobodyUnderstandsIsAnsweredAndDoesNoHarm() throws Exception {
    try (Client gdb = start(1, COUNT)) {
      assertThat(gdb.ask("vMustReplyEmpty")).isEmpty();
      assertThat(gdb.ask("QStartNoAckMode")).isEqualTo("OK");
      gdb.raw("$g#00");
      Random random = new Random(3);
      String letters = "?gGpPmMxXzZHTsSCvqQ0123456789abcdef,;:=\3$-+";
      for (int n = 0; n < 2000; n++) {
        StringBuilder packet = new StringBuilder();
        for (int k = random.nextInt(12); k >= 0; k--) {
          packet.append(letters.charAt(random.nextInt(letters.length())));
        }
        if (!packet.toString().matches("(?s)[sScCX].*|vC.*")) {
          gdb.ask(packet.toString());
        }
      }
      assertThat(gdb.ask("qAttached")).isEqualTo("1");
    }
  }

  @Test
  void aUnixSocketIsItsOwnersAndGoesAway(@TempDir Path temp) throws Exception {
    Path path = temp.resolve("gdb.socket");
    server = GdbServer.listen(GdbAddress.parse(path.toString()));
    assertThat(Files.getPosixFilePermissions(path)).hasSize(2);
    server.close();
    assertThat(path).doesNotExist();
  }

  @Test
  void addressesArePortsOfThisHostOrPaths() {
    assertThat(GdbAddress.parse("1234")).hasToString(":1234").isEqualTo(GdbAddress.parse(":1234"));
    assertThat(GdbAddress.parse("./12")).hasToString("./12");
    for (String bad : new String[] {"", "70000", "host:1234", ":", ":x"}) {
      assertThatIllegalArgumentException().as(bad).isThrownBy(() -> GdbAddress.parse(bad));
    }
  }
}
