package org.xenolith.cpu.silicon;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import org.junit.jupiter.api.Test;
import org.xenolith.cpu.AmdModel;
import org.xenolith.cpu.Cpu;
import org.xenolith.isa.Encoding;
import org.xenolith.isa.Mnemonic;

/**
 * The interpreter against the host's own processor, every row that can run unprivileged.
 *
 * <p>System properties: {@code silicon.cases} cases a row (256), {@code silicon.seed}, {@code silicon.rows} a regular expression over rows
 * as {@link Encoding#toString} prints them.
 */
class SiliconOracleTest {
  private static final int CASES = Integer.getInteger("silicon.cases", 256);
  private static final long SEED = Long.getLong("silicon.seed", 1);
  private static final String ROWS = System.getProperty("silicon.rows", ".*");

  @Test
  void everyRowAgreesWithTheHostsProcessor() throws IOException {
    assumeTrue(HostSide.unable() == null, HostSide::unable);
    SiliconRun.Result result = new SiliconRun(new AmdModel(), SEED, CASES, row -> row.toString().matches(ROWS), null).run();
    System.out.println("silicon oracle: " + result.rows() + " rows, " + result.cases() + " cases, seed " + SEED
        + (result.left() == 0 ? "" : "; " + result.left() + " cases left out where the host differs and may"));
    result.exempt().forEach((reason, rows) -> System.out.println("  exempt, " + reason + ": " + String.join("; ", rows)));
    result.failedRows().forEach((row, count) -> System.out.println("  differs " + count + " times: " + row));
    assertThat(result.failures()).isEmpty();
    assertThat(result.rows()).isPositive();
  }

  @Test
  void aRowWithAWrongMeaningIsFound() throws IOException {
    assumeTrue(HostSide.unable() == null, HostSide::unable);
    // ADC that takes the carry for its opposite.
    Cpu.Tracer wrong = (cpu, i) -> {
      if (i.encoding.mnemonic == Mnemonic.ADC) {
        cpu.setArithmeticFlags(cpu.arithmeticFlags() ^ Cpu.CF);
      }
    };
    SiliconRun.Result result = new SiliconRun(new AmdModel(), SEED, 64, row -> row.toString().equals("ADC Ev,Gv"), wrong).run();
    assertThat(result.failures()).isNotEmpty();
  }
}
