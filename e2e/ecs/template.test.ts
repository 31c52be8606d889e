import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { repository } from '../bed/config.ts';
import { pythonPrograms } from './moto.ts';

test('cfn-lint finds nothing in the CloudFormation template', async () => {
  const programs = await pythonPrograms();
  const { stdout } = await promisify(execFile)(path.join(programs, 'cfn-lint'), [path.join(repository, 'deploy/ecs/template.yaml')]);
  expect(stdout).toBe('');
}, 600_000);
