package org.xenolith.cpu.x87;

import static org.xenolith.cpu.x87.X87Arithmetic.INDEFINITE_EXPONENT;
import static org.xenolith.cpu.x87.X87Arithmetic.INDEFINITE_SIGNIFICAND;
import static org.xenolith.cpu.x87.X87Arithmetic.SIGN;
import static org.xenolith.cpu.x87.X87Word.C0;
import static org.xenolith.cpu.x87.X87Word.C1;
import static org.xenolith.cpu.x87.X87Word.C2;
import static org.xenolith.cpu.x87.X87Word.C3;
import static org.xenolith.cpu.x87.X87Word.DENORMAL;
import static org.xenolith.cpu.x87.X87Word.INVALID;
import static org.xenolith.cpu.x87.X87Word.OVERFLOW;
import static org.xenolith.cpu.x87.X87Word.STACK_FAULT;
import static org.xenolith.cpu.x87.X87Word.UNDERFLOW;
import static org.xenolith.cpu.x87.X87Word.ZERO_DIVIDE;

/**
 * The x87 instructions on one vCPU's state: operands from the register stack, masked and unmasked responses, pops and pushes. Memory
 * operands are first widened into {@link #arithmetic} with {@link #convert}, so an instruction with one is: load the memory, {@link
 * #begin()}, convert, operate. A store is prepared, written by the processor, and finished, so that a page fault in between leaves nothing
 * changed.
 */
public final class X87Unit {
  /** Values of the operation parameter of {@link #arithmetic(int, int, int, int, boolean)}. */
  public static final int ADD = 0, SUBTRACT = 1, MULTIPLY = 2, DIVIDE = 3;

  private static final int OF_OPERANDS = INVALID | DENORMAL | ZERO_DIVIDE;

  public final X87State state;
  public final X87Arithmetic arithmetic = new X87Arithmetic();
  public final X87Conversions convert = new X87Conversions(arithmetic);
  private final X87Transcendentals transcendentals = new X87Transcendentals(arithmetic);

  /** The value that a prepared store writes: its low 64 bits, and bits 79 to 64. */
  public long storeLow;

  public int storeHigh;

  public X87Unit(X87State state) {
    this.state = state;
  }

  // The stack.

  private int register(int i) {
    return state.top + i & 7;
  }

  private boolean isEmpty(int i) {
    return (state.occupied >> register(i) & 1) == 0;
  }

  private int se(int i) {
    return state.signExponents[register(i)];
  }

  private long sig(int i) {
    return state.significands[register(i)];
  }

  private void write(int i, int se, long sig) {
    int register = register(i);
    state.signExponents[register] = se;
    state.significands[register] = sig;
    state.occupied |= 1 << register;
  }

  private void pop() {
    state.occupied &= ~(1 << state.top);
    state.top = state.top + 1 & 7;
  }

  private void push(int se, long sig) {
    state.top = state.top - 1 & 7;
    write(0, se, sig);
  }

  private boolean isUnmasked(int exceptions) {
    return (exceptions & ~state.control) != 0;
  }

  // Exceptions.

  /** Starts an instruction. */
  public void begin() {
    arithmetic.begin();
    arithmetic.control = state.control;
  }

  /** A read of an empty register. @return whether the fault is masked, so that the default NaN is used */
  private boolean underflow() {
    state.status = state.status & ~C1 | INVALID | STACK_FAULT;
    return !isUnmasked(INVALID);
  }

  /** A push onto an occupied register. @return whether the fault is masked, so that the default NaN is pushed */
  private boolean overflow() {
    state.status |= C1 | INVALID | STACK_FAULT;
    return !isUnmasked(INVALID);
  }

  /** Moves the arithmetic's exceptions and C1 to the status word. @return false if the result must not be written */
  private boolean settle() {
    int exceptions = arithmetic.exceptions;
    int ofOperands = exceptions & OF_OPERANDS;
    state.status &= ~C1;
    if (isUnmasked(ofOperands)) {
      state.status |= ofOperands;
      return false;
    }
    state.status |= exceptions | (arithmetic.roundedUp ? C1 : 0);
    return true;
  }

  private void writeResult(int destination) {
    write(destination, arithmetic.signExponent, arithmetic.significand);
  }

  private void writeIndefinite(int destination) {
    write(destination, INDEFINITE_EXPONENT, INDEFINITE_SIGNIFICAND);
  }

  private void setConditions(int conditions) {
    state.status = state.status & ~(C0 | C1 | C2 | C3) | conditions;
  }

  // Arithmetic with two operands.

  /** ST(destination) = ST(a) op ST(b). */
  public void arithmetic(int operation, int destination, int a, int b, boolean pop) {
    if (isEmpty(a) || isEmpty(b)) {
      if (!underflow()) {
        return;
      }
      writeIndefinite(destination);
    } else {
      operate(operation, se(a), sig(a), se(b), sig(b));
      if (!settle()) {
        return;
      }
      writeResult(destination);
    }
    if (pop) {
      pop();
    }
  }

  /** ST(0) = ST(0) op the converted memory operand, or with {@code reversed} the operand op ST(0). */
  public void arithmeticWithOperand(int operation, boolean reversed) {
    if (isEmpty(0)) {
      if (underflow()) {
        writeIndefinite(0);
      }
      return;
    }
    int se = arithmetic.signExponent;
    long sig = arithmetic.significand;
    if (reversed) {
      operate(operation, se, sig, se(0), sig(0));
    } else {
      operate(operation, se(0), sig(0), se, sig);
    }
    if (settle()) {
      writeResult(0);
    }
  }

  private void operate(int operation, int aSe, long a, int bSe, long b) {
    switch (operation) {
      case ADD -> arithmetic.add(aSe, a, bSe, b);
      case SUBTRACT -> arithmetic.subtract(aSe, a, bSe, b);
      case MULTIPLY -> arithmetic.multiply(aSe, a, bSe, b);
      default -> arithmetic.divide(aSe, a, bSe, b);
    }
  }

  // Compares.

  /** FCOM and FUCOM with their pops: the order of ST(0) and ST(i) in C3, C2, C0. */
  public void compare(int i, boolean signalling, int pops) {
    if (isEmpty(0) || isEmpty(i)) {
      setConditions(C0 | C2 | C3);
      if (!underflow()) {
        return;
      }
    } else if (!settleOrder(arithmetic.compare(se(0), sig(0), se(i), sig(i), signalling))) {
      return;
    }
    for (int n = 0; n < pops; n++) {
      pop();
    }
  }

  /** FCOM with the converted memory operand, and FTST after converting zero. */
  public void compareWithOperand(boolean pop) {
    if (isEmpty(0)) {
      setConditions(C0 | C2 | C3);
      if (!underflow()) {
        return;
      }
    } else if (!settleOrder(arithmetic.compare(se(0), sig(0), arithmetic.signExponent, arithmetic.significand, true))) {
      return;
    }
    if (pop) {
      pop();
    }
  }

  private boolean settleOrder(int order) {
    setConditions(
        switch (order) {
          case X87Arithmetic.LESS -> C0;
          case X87Arithmetic.EQUAL -> C3;
          case X87Arithmetic.GREATER -> 0;
          default -> C0 | C2 | C3;
        });
    return settle();
  }

  /** The flags of FCOMI and FUCOMI, as bits of RFLAGS: ZF, PF and CF, whether or not an exception is unmasked. C1 stays. */
  public int compareToFlags(int i, boolean signalling, boolean pop) {
    if (isEmpty(0) || isEmpty(i)) {
      if (underflow() && pop) {
        pop();
      }
      return 0x45;
    }
    int order = arithmetic.compare(se(0), sig(0), se(i), sig(i), signalling);
    state.status |= arithmetic.exceptions;
    if (pop && !isUnmasked(arithmetic.exceptions)) {
      pop();
    }
    return order == X87Arithmetic.UNORDERED ? 0x45 : order == X87Arithmetic.LESS ? 0x01 : order == X87Arithmetic.EQUAL ? 0x40 : 0;
  }

  /** FXAM: the class of ST(0) in C3, C2, C0 and its sign in C1, even of an empty register. */
  public void examine() {
    int se = se(0);
    long sig = sig(0);
    int kind;
    if (isEmpty(0)) {
      kind = C3 | C0;
    } else if (X87Arithmetic.isUnsupported(se, sig)) {
      kind = 0;
    } else if (X87Arithmetic.isNan(se, sig)) {
      kind = C0;
    } else if (X87Arithmetic.isInfinite(se, sig)) {
      kind = C2 | C0;
    } else if (X87Arithmetic.isZero(se, sig)) {
      kind = C3;
    } else {
      kind = X87Arithmetic.isDenormal(se, sig) ? C3 | C2 : C2;
    }
    setConditions(kind | ((se & SIGN) != 0 ? C1 : 0));
  }

  // Loads and moves.

  /** Pushes the converted memory operand: FLD of single and double, where a signalling NaN is invalid and a denormal is noted. */
  public void loadReal() {
    int se = arithmetic.signExponent;
    long sig = arithmetic.significand;
    if (!isEmpty(7)) {
      pushOverflow();
      return;
    }
    arithmetic.special(se, sig);
    if (settle()) {
      push(arithmetic.signExponent, arithmetic.significand);
      // Even unmasked the denormal exception does not keep the number from being loaded.
      state.status |= arithmetic.denormalInMemory ? DENORMAL : 0;
    }
  }

  /** Pushes a value as it is: FLD of an extended number, FILD, FBLD, the constants. */
  public void load(int se, long sig) {
    if (!isEmpty(7)) {
      pushOverflow();
      return;
    }
    state.status &= ~C1;
    push(se, sig);
  }

  /** Pushes the arithmetic's result as it is. */
  public void loadConverted() {
    load(arithmetic.signExponent, arithmetic.significand);
  }

  /** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2 and FLDZ: by the low three bits of their opcodes. */
  public void loadConstant(int which) {
    int mode = arithmetic.roundingMode();
    // Truncated significands; all of them but that of log2(10) are nearer to the next one.
    long above = mode == X87Word.UP || mode == X87Word.NEAREST && which != 1 ? 1 : 0;
    switch (which) {
      case 0 -> load(X87Arithmetic.BIAS, X87Arithmetic.INTEGER_BIT);
      case 1 -> load(0x4000, 0xD49A784BCD1B8AFEL + above);
      case 2 -> load(0x3FFF, 0xB8AA3B295C17F0BBL + above);
      case 3 -> load(0x4000, 0xC90FDAA22168C234L + above);
      case 4 -> load(0x3FFD, 0x9A209A84FBCFF798L + above);
      case 5 -> load(0x3FFE, 0xB17217F7D1CF79ABL + above);
      default -> load(0, 0);
    }
  }

  private void pushOverflow() {
    if (overflow()) {
      push(INDEFINITE_EXPONENT, INDEFINITE_SIGNIFICAND);
    }
  }

  /** FLD ST(i). */
  public void loadRegister(int i) {
    if (!isEmpty(i)) {
      load(se(i), sig(i));
    } else if (underflow()) {
      push(INDEFINITE_EXPONENT, INDEFINITE_SIGNIFICAND);
    }
  }

  /** FST ST(i) and FSTP ST(i). */
  public void storeRegister(int i, boolean pop) {
    if (isEmpty(0)) {
      if (!underflow()) {
        return;
      }
      writeIndefinite(i);
    } else {
      state.status &= ~C1;
      write(i, se(0), sig(0));
    }
    if (pop) {
      pop();
    }
  }

  /** FSTP ST(i) as D9 D8+i: an empty ST(0) is no fault, only popped. */
  public void storeRegisterUnchecked(int i) {
    if (isEmpty(0)) {
      state.status &= ~C1;
      pop();
    } else {
      storeRegister(i, true);
    }
  }

  /** FXCH. */
  public void exchange(int i) {
    state.status &= ~C1;
    if (isEmpty(0) || isEmpty(i)) {
      if (!underflow()) {
        return;
      }
      if (isEmpty(0)) {
        writeIndefinite(0);
      }
      if (isEmpty(i)) {
        writeIndefinite(i);
      }
    }
    int se = se(0);
    long sig = sig(0);
    write(0, se(i), sig(i));
    write(i, se, sig);
  }

  /** FCMOVcc, the condition already decided. C1 stays. Empty registers are a fault even if nothing is to be moved. */
  public void moveIf(int i, boolean condition) {
    if (isEmpty(0) || isEmpty(i)) {
      if (underflow()) {
        writeIndefinite(0);
      }
      return;
    }
    if (condition) {
      write(0, se(i), sig(i));
    }
  }

  /** FINCSTP and FDECSTP. */
  public void rotate(int by) {
    state.status &= ~C1;
    state.top = state.top + by & 7;
  }

  /** FFREE, and with pop FFREEP. */
  public void free(int i, boolean pop) {
    state.status &= ~C1;
    state.occupied &= ~(1 << register(i));
    if (pop) {
      pop();
    }
  }

  // Stores. Each prepare method returns whether there is something to write; then finishStore follows when it is written.

  private int storeStatus;

  private boolean prepared(int statusBits) {
    storeStatus = statusBits;
    return true;
  }

  /** Decides on a converted store; unmasked overflow and underflow keep memory as it is, too. */
  private boolean prepareConverted(long value) {
    int exceptions = arithmetic.exceptions;
    if (isUnmasked(exceptions & (OF_OPERANDS | OVERFLOW | UNDERFLOW))) {
      state.status = state.status & ~C1 | exceptions;
      return false;
    }
    storeLow = value;
    return prepared(exceptions | (arithmetic.roundedUp ? C1 : 0));
  }

  /** An empty register is stored as the default NaN or integer if that is masked. */
  private boolean prepareEmpty(long indefinite, int high) {
    if (isUnmasked(INVALID)) {
      underflow();
      return false;
    }
    storeLow = indefinite;
    storeHigh = high;
    return prepared(INVALID | STACK_FAULT);
  }

  public boolean prepareSingle() {
    return isEmpty(0) ? prepareEmpty(0xFFC00000L, 0) : prepareConverted(convert.toSingle(se(0), sig(0)));
  }

  public boolean prepareDouble() {
    return isEmpty(0) ? prepareEmpty(0xFFF8000000000000L, 0) : prepareConverted(convert.toDouble(se(0), sig(0)));
  }

  public boolean prepareExtended() {
    if (isEmpty(0)) {
      return prepareEmpty(INDEFINITE_SIGNIFICAND, INDEFINITE_EXPONENT);
    }
    storeLow = sig(0);
    storeHigh = se(0);
    return prepared(0);
  }

  /** FIST, FISTP and (truncating) FISTTP of 16, 32 or 64 bits. */
  public boolean prepareInteger(int width, boolean truncating) {
    return isEmpty(0) ? prepareEmpty(-1L << width - 1, 0) : prepareConverted(convert.toInteger(se(0), sig(0), width, truncating));
  }

  public boolean prepareDecimal() {
    if (isEmpty(0)) {
      return prepareEmpty(0xC000000000000000L, 0xFFFF);
    }
    boolean write = prepareConverted(convert.toDecimal(se(0), sig(0)));
    storeHigh = convert.decimalHigh;
    return write;
  }

  /** Ends a store after the value was written. */
  public void finishStore(boolean pop) {
    state.status = state.status & ~C1 | storeStatus;
    if (pop) {
      pop();
    }
  }

  // One operand.

  /** FCHS (0x8000 inverted) and FABS (cleared). */
  public void changeSign(boolean absolute) {
    if (isEmpty(0)) {
      if (underflow()) {
        writeIndefinite(0);
      }
      return;
    }
    state.status &= ~C1;
    int register = register(0);
    state.signExponents[register] = absolute ? se(0) & ~SIGN : se(0) ^ SIGN;
  }

  public void squareRoot() {
    if (isPresent()) {
      arithmetic.squareRoot(se(0), sig(0));
      settleResult();
    }
  }

  public void roundToInteger() {
    if (isPresent()) {
      arithmetic.roundToInteger(se(0), sig(0));
      settleResult();
    }
  }

  private boolean isPresent() {
    if (!isEmpty(0)) {
      return true;
    }
    if (underflow()) {
      writeIndefinite(0);
    }
    return false;
  }

  private boolean arePresent() {
    if (!isEmpty(0) && !isEmpty(1)) {
      return true;
    }
    if (underflow()) {
      writeIndefinite(0);
    }
    return false;
  }

  private void settleResult() {
    if (settle()) {
      writeResult(0);
    }
  }

  /** FSCALE. */
  public void scale() {
    if (arePresent()) {
      arithmetic.scale(se(0), sig(0), se(1), sig(1));
      settleResult();
    }
  }

  /** FPREM and FPREM1. */
  public void remainder(boolean nearest) {
    state.status &= ~C2;
    if (!arePresent()) {
      return;
    }
    arithmetic.remainder(se(0), sig(0), se(1), sig(1), nearest);
    if (!settle()) {
      return;
    }
    writeResult(0);
    int q = arithmetic.quotient;
    if (q < 0) {
      return;
    }
    setConditions(((q & 4) != 0 ? C0 : 0) | ((q & 2) != 0 ? C3 : 0) | ((q & 1) != 0 ? C1 : 0) | (arithmetic.partial ? C2 : 0));
  }

  /** FXTRACT: the exponent replaces ST(0), the significand is pushed. */
  public void extract() {
    if (!canSplit()) {
      return;
    }
    int se = se(0);
    long sig = sig(0);
    arithmetic.extractSignificand(se, sig);
    int significandSe = arithmetic.signExponent;
    long significand = arithmetic.significand;
    arithmetic.extractExponent(se, sig);
    if (settle()) {
      writeResult(0);
      push(significandSe, significand);
    }
  }

  /** The checks of instructions that replace ST(0) and push: with a masked stack fault both become the default NaN. */
  private boolean canSplit() {
    boolean masked;
    if (isEmpty(0)) {
      masked = underflow();
    } else if (!isEmpty(7)) {
      masked = overflow();
    } else {
      return true;
    }
    if (masked) {
      writeIndefinite(0);
      push(INDEFINITE_EXPONENT, INDEFINITE_SIGNIFICAND);
    }
    return false;
  }

  // Transcendentals.

  /** F2XM1. */
  public void powerOfTwoMinusOne() {
    if (isPresent()) {
      transcendentals.powerOfTwoMinusOne(se(0), sig(0));
      settleResult();
    }
  }

  /** FYL2X and (with {@code plusOne}) FYL2XP1: ST(1) times the logarithm of ST(0), then a pop. */
  public void logarithm(boolean plusOne) {
    if (isEmpty(0) || isEmpty(1)) {
      if (underflow()) {
        writeIndefinite(1);
        pop();
      }
      return;
    }
    if (plusOne) {
      transcendentals.logarithmPlusOne(se(0), sig(0), se(1), sig(1));
    } else {
      transcendentals.logarithm(se(0), sig(0), se(1), sig(1));
    }
    settleToFirst();
  }

  /** FPATAN. */
  public void arctangent() {
    if (isEmpty(0) || isEmpty(1)) {
      if (underflow()) {
        writeIndefinite(1);
        pop();
      }
      return;
    }
    transcendentals.arctangent(se(1), sig(1), se(0), sig(0));
    settleToFirst();
  }

  private void settleToFirst() {
    if (settle()) {
      writeResult(1);
      pop();
    }
  }

  /** FSIN and FCOS. Beyond 2^63 nothing happens but C2. */
  public void sine(boolean cosine) {
    state.status &= ~C2;
    if (!isPresent()) {
      return;
    }
    if (transcendentals.isOutOfRange(se(0), sig(0))) {
      state.status = state.status & ~C1 | C2;
      return;
    }
    if (cosine) {
      transcendentals.cosine(se(0), sig(0));
    } else {
      transcendentals.sine(se(0), sig(0));
    }
    settleResult();
  }

  /** FSINCOS: the sine replaces ST(0), the cosine is pushed. */
  public void sineAndCosine() {
    state.status &= ~C2;
    if (!canSplit()) {
      return;
    }
    int se = se(0);
    long sig = sig(0);
    if (transcendentals.isOutOfRange(se, sig)) {
      state.status = state.status & ~C1 | C2;
      return;
    }
    transcendentals.sine(se, sig);
    int sineSe = arithmetic.signExponent;
    long sine = arithmetic.significand;
    transcendentals.cosine(se, sig);
    if (settle()) {
      write(0, sineSe, sine);
      push(arithmetic.signExponent, arithmetic.significand);
    }
  }

  /** FPTAN: the tangent replaces ST(0), 1 is pushed (with a NaN result that NaN). */
  public void tangent() {
    state.status &= ~C2;
    if (!canSplit()) {
      return;
    }
    int se = se(0);
    long sig = sig(0);
    if (transcendentals.isOutOfRange(se, sig)) {
      state.status = state.status & ~C1 | C2;
      return;
    }
    transcendentals.tangent(se, sig);
    if (settle()) {
      writeResult(0);
      if (X87Arithmetic.isNan(arithmetic.signExponent, arithmetic.significand)) {
        push(arithmetic.signExponent, arithmetic.significand);
      } else {
        push(X87Arithmetic.BIAS, X87Arithmetic.INTEGER_BIT);
      }
    }
  }
}
