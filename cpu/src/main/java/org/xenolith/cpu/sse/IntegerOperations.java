package org.xenolith.cpu.sse;

import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.function.LongBinaryOperator;
import org.xenolith.isa.Mnemonic;

/** The integer instructions on SSE and MMX registers, by mnemonic. */
public final class IntegerOperations {
  private static final Map<Mnemonic, VectorOperation> SSE = new EnumMap<>(Mnemonic.class);
  private static final Map<Mnemonic, MmxOperation> MMX = new EnumMap<>(Mnemonic.class);

  private IntegerOperations() {}

  /** The operation of this mnemonic with an SSE register as destination, or null. */
  public static VectorOperation sse(Mnemonic mnemonic) {
    return SSE.get(mnemonic);
  }

  /** The operation of this mnemonic with an MMX register as destination, or null. */
  public static MmxOperation mmx(Mnemonic mnemonic) {
    return MMX.get(mnemonic);
  }

  private static void sse(String name, VectorOperation operation) {
    SSE.put(Mnemonic.valueOf(name.toUpperCase(Locale.ROOT)), operation);
  }

  private static void mmx(String name, MmxOperation operation) {
    MMX.put(Mnemonic.valueOf(name.toUpperCase(Locale.ROOT)), operation);
  }

  static {
    laneWise();
    shifts();
    pairWise();
    shuffles();
    blendsAndWidening();
  }

  /** Each half by itself. */
  private static void lanes(String mnemonic, LongBinaryOperator f) {
    sse(
        mnemonic,
        (u, d, low, high, imm) -> {
          u.xmm[d] = f.applyAsLong(u.xmm[d], low);
          u.xmm[d + 1] = f.applyAsLong(u.xmm[d + 1], high);
          return true;
        });
  }

  private static void both(String mnemonic, LongBinaryOperator f) {
    lanes(mnemonic, f);
    mmx(mnemonic, (a, b, imm) -> f.applyAsLong(a, b));
  }

  private static void laneWise() {
    both("paddb", IntegerLanes::paddb);
    both("paddw", IntegerLanes::paddw);
    both("paddd", IntegerLanes::paddd);
    both("paddq", IntegerLanes::paddq);
    both("psubb", IntegerLanes::psubb);
    both("psubw", IntegerLanes::psubw);
    both("psubd", IntegerLanes::psubd);
    both("psubq", IntegerLanes::psubq);
    both("paddsb", IntegerLanes::paddsb);
    both("paddsw", IntegerLanes::paddsw);
    both("paddusb", IntegerLanes::paddusb);
    both("paddusw", IntegerLanes::paddusw);
    both("psubsb", IntegerLanes::psubsb);
    both("psubsw", IntegerLanes::psubsw);
    both("psubusb", IntegerLanes::psubusb);
    both("psubusw", IntegerLanes::psubusw);
    both("pcmpeqb", IntegerLanes::pcmpeqb);
    both("pcmpeqw", IntegerLanes::pcmpeqw);
    both("pcmpeqd", IntegerLanes::pcmpeqd);
    lanes("pcmpeqq", IntegerLanes::pcmpeqq);
    both("pcmpgtb", IntegerLanes::pcmpgtb);
    both("pcmpgtw", IntegerLanes::pcmpgtw);
    both("pcmpgtd", IntegerLanes::pcmpgtd);
    lanes("pcmpgtq", IntegerLanes::pcmpgtq);
    both("pminub", IntegerLanes::pminub);
    both("pmaxub", IntegerLanes::pmaxub);
    both("pminsw", IntegerLanes::pminsw);
    both("pmaxsw", IntegerLanes::pmaxsw);
    lanes("pminsb", IntegerLanes::pminsb);
    lanes("pmaxsb", IntegerLanes::pmaxsb);
    lanes("pminuw", IntegerLanes::pminuw);
    lanes("pmaxuw", IntegerLanes::pmaxuw);
    lanes("pminud", IntegerLanes::pminud);
    lanes("pmaxud", IntegerLanes::pmaxud);
    lanes("pminsd", IntegerLanes::pminsd);
    lanes("pmaxsd", IntegerLanes::pmaxsd);
    both("pavgb", IntegerLanes::pavgb);
    both("pavgw", IntegerLanes::pavgw);
    both("pabsb", (a, b) -> IntegerLanes.pabsb(b));
    both("pabsw", (a, b) -> IntegerLanes.pabsw(b));
    both("pabsd", (a, b) -> IntegerLanes.pabsd(b));
    both("psignb", IntegerLanes::psignb);
    both("psignw", IntegerLanes::psignw);
    both("psignd", IntegerLanes::psignd);
    both("pand", IntegerLanes::pand);
    both("pandn", IntegerLanes::pandn);
    both("por", IntegerLanes::por);
    both("pxor", IntegerLanes::pxor);
    for (String type : new String[] {"ps", "pd"}) {
      lanes("and" + type, IntegerLanes::pand);
      lanes("andn" + type, IntegerLanes::pandn);
      lanes("or" + type, IntegerLanes::por);
      lanes("xor" + type, IntegerLanes::pxor);
    }
    both("pmullw", IntegerLanes::pmullw);
    both("pmulhw", IntegerLanes::pmulhw);
    both("pmulhuw", IntegerLanes::pmulhuw);
    both("pmulhrsw", IntegerLanes::pmulhrsw);
    lanes("pmulld", IntegerLanes::pmulld);
    both("pmuludq", IntegerLanes::pmuludq);
    lanes("pmuldq", IntegerLanes::pmuldq);
    both("pmaddwd", IntegerLanes::pmaddwd);
    both("pmaddubsw", IntegerLanes::pmaddubsw);
    both("psadbw", IntegerLanes::psadbw);
  }

  /** One count for all lanes: the low half of the source, or the immediate, which the processor passes in its place. */
  private static void shift(String mnemonic, LongBinaryOperator f) {
    sse(
        mnemonic,
        (u, d, low, high, imm) -> {
          u.xmm[d] = f.applyAsLong(u.xmm[d], low);
          u.xmm[d + 1] = f.applyAsLong(u.xmm[d + 1], low);
          return true;
        });
    mmx(mnemonic, (a, b, imm) -> f.applyAsLong(a, b));
  }

  private static void shifts() {
    shift("psllw", IntegerLanes::psllw);
    shift("pslld", IntegerLanes::pslld);
    shift("psllq", IntegerLanes::psllq);
    shift("psrlw", IntegerLanes::psrlw);
    shift("psrld", IntegerLanes::psrld);
    shift("psrlq", IntegerLanes::psrlq);
    shift("psraw", IntegerLanes::psraw);
    shift("psrad", IntegerLanes::psrad);
    sse(
        "pslldq",
        (u, d, low, high, imm) -> {
          long old = u.xmm[d];
          u.xmm[d] = IntegerLanes.pslldqLow(old, imm);
          u.xmm[d + 1] = IntegerLanes.pslldqHigh(old, u.xmm[d + 1], imm);
          return true;
        });
    sse(
        "psrldq",
        (u, d, low, high, imm) -> {
          u.xmm[d] = IntegerLanes.psrldqLow(u.xmm[d], u.xmm[d + 1], imm);
          u.xmm[d + 1] = IntegerLanes.psrldqHigh(u.xmm[d + 1], imm);
          return true;
        });
  }

  /** The destination's lanes make the low half, the source's lanes the high half. */
  private static void pairs(String mnemonic, LongBinaryOperator f) {
    sse(
        mnemonic,
        (u, d, low, high, imm) -> {
          u.xmm[d] = f.applyAsLong(u.xmm[d], u.xmm[d + 1]);
          u.xmm[d + 1] = f.applyAsLong(low, high);
          return true;
        });
  }

  private static void pairWise() {
    pairsBoth("phaddw", IntegerLanes::phaddw);
    pairsBoth("phaddd", IntegerLanes::phaddd);
    pairsBoth("phaddsw", IntegerLanes::phaddsw);
    pairsBoth("phsubw", IntegerLanes::phsubw);
    pairsBoth("phsubd", IntegerLanes::phsubd);
    pairsBoth("phsubsw", IntegerLanes::phsubsw);
    pairsBoth("packsswb", LaneShuffles::packsswb);
    pairsBoth("packssdw", LaneShuffles::packssdw);
    pairsBoth("packuswb", LaneShuffles::packuswb);
    pairs("packusdw", LaneShuffles::packusdw);
  }

  private static void pairsBoth(String mnemonic, LongBinaryOperator f) {
    pairs(mnemonic, f);
    mmx(mnemonic, (a, b, imm) -> f.applyAsLong(a, b));
  }

  private static void unpack(String suffix, LongBinaryOperator lowLanes, LongBinaryOperator highLanes) {
    sse(
        "punpckl" + suffix,
        (u, d, low, high, imm) -> {
          long a = u.xmm[d];
          u.xmm[d] = lowLanes.applyAsLong(a, low);
          u.xmm[d + 1] = highLanes.applyAsLong(a, low);
          return true;
        });
    sse(
        "punpckh" + suffix,
        (u, d, low, high, imm) -> {
          long a = u.xmm[d + 1];
          u.xmm[d] = lowLanes.applyAsLong(a, high);
          u.xmm[d + 1] = highLanes.applyAsLong(a, high);
          return true;
        });
    mmx("punpckl" + suffix, (a, b, imm) -> lowLanes.applyAsLong(a, b));
    mmx("punpckh" + suffix, (a, b, imm) -> highLanes.applyAsLong(a, b));
  }

  private static boolean set(VectorUnit u, int d, long low, long high) {
    u.xmm[d] = low;
    u.xmm[d + 1] = high;
    return true;
  }

  private static void shuffles() {
    unpack("bw", LaneShuffles::unpackLowBytes, LaneShuffles::unpackHighBytes);
    unpack("wd", LaneShuffles::unpackLowWords, LaneShuffles::unpackHighWords);
    unpack("dq", LaneShuffles::unpackLowDwords, LaneShuffles::unpackHighDwords);
    sse("unpcklps", SSE.get(Mnemonic.PUNPCKLDQ));
    sse("unpckhps", SSE.get(Mnemonic.PUNPCKHDQ));
    VectorOperation lowQuadwords = (u, d, low, high, imm) -> set(u, d, u.xmm[d], low);
    VectorOperation highQuadwords = (u, d, low, high, imm) -> set(u, d, u.xmm[d + 1], high);
    sse("punpcklqdq", lowQuadwords);
    sse("unpcklpd", lowQuadwords);
    sse("punpckhqdq", highQuadwords);
    sse("unpckhpd", highQuadwords);
    sse(
        "pshufb",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.pshufb(u.xmm[d], u.xmm[d + 1], low), LaneShuffles.pshufb(u.xmm[d], u.xmm[d + 1], high)));
    mmx("pshufb", (a, b, imm) -> LaneShuffles.pshufb(a, b));
    mmx("pshufw", (a, b, imm) -> LaneShuffles.pshufw(b, imm));
    sse(
        "pshufd",
        (u, d, low, high, imm) -> set(u, d, LaneShuffles.pickDwords(low, high, imm), LaneShuffles.pickDwords(low, high, imm >> 4)));
    sse("pshuflw", (u, d, low, high, imm) -> set(u, d, LaneShuffles.pshufw(low, imm), high));
    sse("pshufhw", (u, d, low, high, imm) -> set(u, d, low, LaneShuffles.pshufw(high, imm)));
    sse(
        "shufps",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.pickDwords(u.xmm[d], u.xmm[d + 1], imm), LaneShuffles.pickDwords(low, high, imm >> 4)));
    sse("shufpd", (u, d, low, high, imm) -> set(u, d, u.xmm[d + (imm & 1)], (imm & 2) == 0 ? low : high));
    sse(
        "palignr",
        (u, d, low, high, imm) -> {
          long a = u.xmm[d];
          long b = u.xmm[d + 1];
          return set(u, d, LaneShuffles.window(low, high, a, b, imm), LaneShuffles.window(low, high, a, b, imm + 8));
        });
    mmx("palignr", (a, b, imm) -> LaneShuffles.window(b, a, 0, 0, imm));
    sse("phminposuw", (u, d, low, high, imm) -> set(u, d, LaneShuffles.phminposuw(low, high), 0));
    sse(
        "mpsadbw",
        (u, d, low, high, imm) -> {
          long block = ((imm & 2) == 0 ? low : high) >>> (imm & 1) * 32;
          int at = imm & 4;
          long a = u.xmm[d];
          long b = u.xmm[d + 1];
          return set(u, d, LaneShuffles.mpsadbw(a, b, block, at), LaneShuffles.mpsadbw(a, b, block, at + 4));
        });
    inserts();
    sse("movddup", (u, d, low, high, imm) -> set(u, d, low, low));
    sse(
        "movsldup",
        (u, d, low, high, imm) -> set(u, d, LaneShuffles.unpackLowDwords(low, low), LaneShuffles.unpackLowDwords(high, high)));
    sse(
        "movshdup",
        (u, d, low, high, imm) -> set(u, d, LaneShuffles.unpackHighDwords(low, low), LaneShuffles.unpackHighDwords(high, high)));
  }

  private static void insert(String mnemonic, int bits) {
    sse(
        mnemonic,
        (u, d, low, high, imm) -> {
          int at = imm & 128 / bits - 1;
          int half = d + (at * bits >> 6);
          u.xmm[half] = inserted(u.xmm[half], low, at * bits & 63, bits);
          return true;
        });
  }

  private static long inserted(long old, long value, int at, int bits) {
    long mask = -1L >>> 64 - bits;
    return old & ~(mask << at) | (value & mask) << at;
  }

  private static void inserts() {
    insert("pinsrb", 8);
    insert("pinsrw", 16);
    insert("pinsrd", 32);
    insert("pinsrq", 64);
    mmx("pinsrw", (a, b, imm) -> inserted(a, b, (imm & 3) * 16, 16));
    // The register form picks a dword of the source by bits 7 and 6; for a memory operand the processor passes them as 0.
    sse(
        "insertps",
        (u, d, low, high, imm) -> {
          long value = (imm & 0x80) == 0 ? low : high;
          int at = imm >> 4 & 3;
          int half = d + (at >> 1);
          u.xmm[half] = inserted(u.xmm[half], value >>> (imm >> 6 & 1) * 32, (at & 1) * 32, 32);
          u.xmm[d] = LaneShuffles.blendDwords(u.xmm[d], 0, imm);
          u.xmm[d + 1] = LaneShuffles.blendDwords(u.xmm[d + 1], 0, imm >> 2);
          return true;
        });
  }

  private static void widen(String suffix, int from, int to) {
    for (boolean signed : new boolean[] {true, false}) {
      sse(
          (signed ? "pmovsx" : "pmovzx") + suffix,
          (u, d, low, high, imm) ->
              set(u, d, LaneShuffles.widen(low, from, to, signed), LaneShuffles.widen(low >>> 64 * from / to, from, to, signed)));
    }
  }

  private static void blendsAndWidening() {
    widen("bw", 8, 16);
    widen("bd", 8, 32);
    widen("bq", 8, 64);
    widen("wd", 16, 32);
    widen("wq", 16, 64);
    widen("dq", 32, 64);
    sse(
        "pblendw",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.blendWords(u.xmm[d], low, imm), LaneShuffles.blendWords(u.xmm[d + 1], high, imm >> 4)));
    sse(
        "blendps",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.blendDwords(u.xmm[d], low, imm), LaneShuffles.blendDwords(u.xmm[d + 1], high, imm >> 2)));
    sse("blendpd", (u, d, low, high, imm) -> set(u, d, (imm & 1) == 0 ? u.xmm[d] : low, (imm & 2) == 0 ? u.xmm[d + 1] : high));
    // The mask of the variable blends is xmm0.
    sse(
        "pblendvb",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.pblendvb(u.xmm[d], low, u.xmm[0]), LaneShuffles.pblendvb(u.xmm[d + 1], high, u.xmm[1])));
    sse(
        "blendvps",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.blendvps(u.xmm[d], low, u.xmm[0]), LaneShuffles.blendvps(u.xmm[d + 1], high, u.xmm[1])));
    sse(
        "blendvpd",
        (u, d, low, high, imm) ->
            set(u, d, LaneShuffles.blendvpd(u.xmm[d], low, u.xmm[0]), LaneShuffles.blendvpd(u.xmm[d + 1], high, u.xmm[1])));
  }
}
