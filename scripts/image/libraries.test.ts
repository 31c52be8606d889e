import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Elf, librariesOf, parseReadelf } from './libraries.ts';

test('readelf is read: machine, loader, libraries, versions needed and defined', () => {
  const text = `ELF Header:
  Class:                             ELF64
  Machine:                           Advanced Micro Devices X86-64

Program Headers:
  INTERP         0x0002a8 0x00000000004002a8 0x00000000004002a8 0x00001c 0x00001c R   0x1
      [Requesting program interpreter: /lib64/ld-linux-x86-64.so.2]

Dynamic section at offset 0x8e3b0 contains 38 entries:
 0x0000000000000001 (NEEDED)             Shared library: [libatomic.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]

Version symbols section '.gnu.version' contains 2 entries:
  000:   0 (*local*)       2 (GLIBC_2.17)

Version definition section '.gnu.version_d' contains 2 entries:
  000000: Rev: 1  Flags: BASE  Index: 1  Cnt: 1  Name: node
  0x001c: Rev: 1  Flags: none  Index: 2  Cnt: 2  Name: NODE_1
  0x0038: Parent 1: NODE_0

Version needs section '.gnu.version_r' contains 2 entries:
 Addr: 0x0000000000823018  Offset: 0x00423018  Link: 6 (.dynstr)
  000000: Version: 1  File: libatomic.so.1  Cnt: 1
  0x0010:   Name: LIBATOMIC_1.0  Flags: none  Version: 49
  0x0020: Version: 1  File: libc.so.6  Cnt: 2
  0x0030:   Name: GLIBC_2.2.5  Flags: none  Version: 52
  0x0040:   Name: GLIBC_2.28  Flags: WEAK  Version: 46
`;
  expect(parseReadelf(text)).toEqual({
    machine: 'Advanced Micro Devices X86-64',
    interpreter: '/lib64/ld-linux-x86-64.so.2',
    needed: ['libatomic.so.1', 'libc.so.6'],
    versionsNeeded: new Map([
      ['libatomic.so.1', ['LIBATOMIC_1.0']],
      ['libc.so.6', ['GLIBC_2.2.5', 'GLIBC_2.28']],
    ]),
    versionsDefined: new Set(['node', 'NODE_1']),
  });
});

describe('the libraries of a program', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'libraries-'));
    for (const name of ['libc.so.6', 'libm.so.6', 'libother.so']) await writeFile(path.join(folder, name), '');
  });
  afterAll(() => rm(folder, { recursive: true }));

  const elf = (parts: Partial<Elf> = {}): Elf => ({
    machine: 'AArch64',
    interpreter: undefined,
    needed: [],
    versionsNeeded: new Map(),
    versionsDefined: new Set(),
    ...parts,
  });
  const libm = elf({ needed: ['libc.so.6'], versionsNeeded: new Map([['libc.so.6', ['GLIBC_2.17']]]) });
  const libc = elf({ versionsDefined: new Set(['GLIBC_2.17']) });
  const of = (program: Elf, libraries: Record<string, Elf>) =>
    librariesOf('/program', [folder], async (file) => (file === '/program' ? program : (libraries[path.basename(file)] ?? elf())));

  test('are those that it needs, and those that these need', async () => {
    expect(await of(elf({ needed: ['libm.so.6'] }), { 'libm.so.6': libm, 'libc.so.6': libc })).toEqual([
      { name: 'libc.so.6', file: path.join(folder, 'libc.so.6') },
      { name: 'libm.so.6', file: path.join(folder, 'libm.so.6') },
    ]);
  });

  test('are refused where no package has one', async () => {
    await expect(of(elf({ needed: ['libatomic.so.1'] }), {})).rejects.toThrow('program needs libatomic.so.1, which no package has');
  });

  test('are refused where one is of another architecture', async () => {
    const intel = elf({ machine: 'Advanced Micro Devices X86-64' });
    await expect(of(elf({ needed: ['libc.so.6'] }), { 'libc.so.6': intel })).rejects.toThrow('not for AArch64');
  });

  test('are refused where one is too old for another', async () => {
    const old = elf({ versionsDefined: new Set(['GLIBC_2.16']) });
    await expect(of(elf({ needed: ['libm.so.6'] }), { 'libm.so.6': libm, 'libc.so.6': old })).rejects.toThrow(
      'libm.so.6 needs GLIBC_2.17 of libc.so.6',
    );
  });
});
