package org.xenolith.cpu;

import org.xenolith.isa.Encoding;
import org.xenolith.isa.Instruction;
import org.xenolith.isa.Mnemonic;
import org.xenolith.isa.OperandKind;

/** From an instruction to its meaning: by mnemonic to the class of its topic. */
final class Semantics {
  private Semantics() {}

  /** The meaning of an instruction; an instruction whose feature the model lacks is one that raises #UD. */
  static Op of(Instruction i, ProcessorModel model) {
    if (i.mnemonic == Mnemonic.VMMCALL) {
      return SystemOps::vmmcall;
    }
    if (!model.offers(i.encoding.feature)) {
      return SystemOps::undefined;
    }
    return switch (i.mnemonic) {
      case INVALID, UD0, UD1, UD2, RSM -> SystemOps::undefined;
      case TOO_LONG -> SystemOps::tooLong;

      case ADD -> Arithmetic.add(i);
      case ADC -> Arithmetic.adc(i);
      case SUB -> Arithmetic.sub(i);
      case SBB -> Arithmetic.sbb(i);
      case CMP -> Arithmetic.cmp(i);
      case INC -> Arithmetic.inc(i);
      case DEC -> Arithmetic.dec(i);
      case NEG -> Arithmetic.neg(i);
      case AND -> Logic.and(i);
      case OR -> Logic.or(i);
      case XOR -> Logic.xor(i);
      case TEST -> Logic.test(i);
      case NOT -> Logic.not(i);

      case SHL -> Shifts.shl(i);
      case SHR -> Shifts.shr(i);
      case SAR -> Shifts.sar(i);
      case ROL -> Shifts.rol(i);
      case ROR -> Shifts.ror(i);
      case RCL -> Shifts::rcl;
      case RCR -> Shifts::rcr;
      case SHLD -> Shifts::shld;
      case SHRD -> Shifts::shrd;

      case MUL -> MultiplyDivide::mul;
      case IMUL -> MultiplyDivide.imulOp(i);
      case DIV -> MultiplyDivide::div;
      case IDIV -> MultiplyDivide::idiv;

      case BT -> BitOps::bt;
      case BTS -> BitOps::bts;
      case BTR -> BitOps::btr;
      case BTC -> BitOps::btc;
      case BSF -> BitOps::bsf;
      case BSR -> BitOps::bsr;
      case POPCNT -> BitOps::popcnt;
      case BSWAP -> BitOps::bswap;
      case CRC32 -> BitOps::crc32;
      case MOVBE -> BitOps::movbe;

      case MOV -> i.kind0 == OperandKind.CR || i.kind1 == OperandKind.CR ? ControlRegisters.mov(i) : Moves.mov(i);
      case MOVNTI -> (c, n) -> Operands.write0(c, n, Operands.read1(c, n));
      case MOVZX -> Moves.movzx(i);
      case MOVSX, MOVSXD -> Moves.movsx(i);
      case LEA -> Moves.lea(i);
      case XCHG -> Moves::xchg;
      case XADD -> Moves::xadd;
      case CMPXCHG -> Moves::cmpxchg;
      case CMPXCHG8B -> Moves::cmpxchg8b;
      case CMPXCHG16B -> Moves::cmpxchg16b;
      case CMOVCC -> Moves.cmov(i);
      case SETCC -> Moves::setcc;
      case CBW -> Moves::cbw;
      case CWD -> Moves::cwd;
      case XLAT -> Moves::xlat;
      case LAHF -> Moves::lahf;
      case SAHF -> Moves::sahf;
      case CLC -> (c, n) -> c.setCarry(false);
      case STC -> (c, n) -> c.setCarry(true);
      case CMC -> (c, n) -> c.setCarry(!c.cf());
      case CLD -> (c, n) -> c.eflags &= ~Cpu.DF;
      case STD -> (c, n) -> c.eflags |= Cpu.DF;

      case PUSH -> Stack.push(i);
      case POP -> Stack.pop(i);
      case PUSHA -> Stack::pusha;
      case POPA -> Stack::popa;
      case PUSHF -> Stack::pushf;
      case POPF -> Stack::popf;
      case ENTER -> Stack::enter;
      case LEAVE -> Stack.leave(i);

      case JCC -> Control.jcc(i);
      case JMP -> Control.jmp(i);
      case CALL -> Control.call(i);
      case RET -> Control.ret(i);
      case LOOP -> Control::loop;
      case LOOPE -> Control::loope;
      case LOOPNE -> Control::loopne;
      case JRCXZ -> Control::jrcxz;
      case JMPF -> FarControl::jmp;
      case CALLF -> FarControl::call;
      case RETF -> FarControl::ret;
      case IRET -> FarControl::iret;

      case MOVS -> Strings::movs;
      case STOS -> Strings::stos;
      case LODS -> Strings::lods;
      case SCAS -> Strings::scas;
      case CMPS -> Strings::cmps;

      case DAA -> Decimal::daa;
      case DAS -> Decimal::das;
      case AAA -> Decimal::aaa;
      case AAS -> Decimal::aas;
      case AAM -> Decimal::aam;
      case AAD -> Decimal::aad;
      case SALC -> Decimal::salc;

      case LES, LDS, LSS, LFS, LGS -> SegmentOps::loadFar;
      case LAR -> SegmentOps::lar;
      case LSL -> SegmentOps::lsl;
      case VERR -> SegmentOps::verr;
      case VERW -> SegmentOps::verw;
      case ARPL -> SegmentOps::arpl;

      case INT3 -> SystemOps::int3;
      case INT1 -> SystemOps::int1;
      case INT -> SystemOps::interrupt;
      case INTO -> SystemOps::into;
      case BOUND -> SystemOps::bound;
      case SYSCALL -> SystemCalls::syscall;
      case SYSRET -> SystemCalls::sysret;
      case SYSENTER -> SystemCalls::sysenter;
      case SYSEXIT -> SystemCalls::sysexit;
      case SWAPGS -> SystemCalls::swapgs;
      case HLT -> SystemOps::hlt;
      case CLI, STI -> SystemOps::interruptFlag;
      case IN, OUT, INS, OUTS -> PortOps.of(i);
      case RDPMC -> SystemOps::rdpmc;
      case CLAC, STAC -> PagingOps::userAccess;
      case INVLPG -> PagingOps::invlpg;
      case INVPCID -> PagingOps::invpcid;
      case WBINVD, INVD -> PagingOps::caches;
      case CLTS -> ControlRegisters::clts;
      case LMSW -> ControlRegisters::lmsw;
      case RDMSR -> Msrs::rdmsr;
      case WRMSR -> Msrs::wrmsr;
      case XSAVE, XSAVEOPT, XSAVEC -> ExtendedState::save;
      case XRSTOR -> ExtendedState::restore;
      case XGETBV -> ExtendedState::xgetbv;
      case XSETBV -> ExtendedState::xsetbv;
      case RDFSBASE -> Msrs::readFsBase;
      case RDGSBASE -> Msrs::readGsBase;
      case WRFSBASE -> Msrs::writeFsBase;
      case WRGSBASE -> Msrs::writeGsBase;
      case SMSW -> SystemTables::smsw;
      case SLDT -> SystemTables::sldt;
      case STR -> SystemTables::str;
      case SGDT -> SystemTables::sgdt;
      case SIDT -> SystemTables::sidt;
      case LGDT -> SystemTables::lgdt;
      case LIDT -> SystemTables::lidt;
      case LLDT -> SystemTables::lldt;
      case LTR -> SystemTables::ltr;
      case CPUID -> SystemOps::cpuid;
      case RDTSC -> SystemOps::rdtsc;
      case RDTSCP -> SystemOps::rdtscp;
      case PAUSE -> SystemOps::pause;
      case CLFLUSH -> SystemOps::flushLine;
      case NOP, ENDBR32, ENDBR64, PREFETCH, PREFETCHW, PREFETCHWT1, PREFETCHNTA, PREFETCHT0, PREFETCHT1, PREFETCHT2, LFENCE, MFENCE,
          SFENCE ->
          SystemOps::nothing;
      case CVTPI2PS, CVTPI2PD -> SseOps.of(i);
      case FXSAVE, FXRSTOR, LDMXCSR, STMXCSR -> FpuState.of(i);
      default -> i.encoding.has(Encoding.PRIVILEGED) ? SystemOps::privileged : numeric(i);
    };
  }

  /** Instructions of the x87 unit, MMX and SSE. */
  private static Op numeric(Instruction i) {
    if (i.encoding.has(Encoding.X87_STATE)) {
      return X87Ops.of(i);
    }
    if (i.encoding.has(Encoding.MMX_STATE)) {
      return MmxOps.of(i);
    }
    return i.encoding.has(Encoding.SSE_STATE) ? SseOps.of(i) : delegated(i);
  }

  private static Op delegated(Instruction i) {
    return (c, n) -> {
      throw c.unimplemented("instruction " + n);
    };
  }

  /** Whether an instruction must be the last of its block: it may transfer control, leave, stay on itself, or change the clock. */
  static boolean endsBlock(Instruction i) {
    return i.encoding.has(Encoding.BRANCH)
        || switch (i.mnemonic) {
          case MOVS, STOS, LODS, SCAS, CMPS -> (i.prefixes & (Instruction.REP | Instruction.REPNE)) != 0;
          case IN, OUT, INS, OUTS, CLI, STI, POPF, PAUSE, LMSW, WRMSR, INVLPG, INVPCID -> true;
          // What follows may be translated otherwise.
          case MOV -> i.kind0 == OperandKind.CR;
          default -> false;
        };
  }

  /** Whether an instruction must be the first of its block, because it reads the clock, or what it reaches may. */
  static boolean startsBlock(Instruction i) {
    return switch (i.mnemonic) {
      case RDTSC, RDTSCP, RDPMC, RDMSR, WRMSR, IN, OUT, INS, OUTS -> true;
      default -> false;
    };
  }
}
