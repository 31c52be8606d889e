#!/usr/bin/env node
// `npx lockkeeper`: what runs in a cluster by its name, and all else as `kubectl lockkeeper` has it.
const inCluster = ['controller', 'crds', 'verify-install'];
await import(inCluster.includes(process.argv[2]) ? './lockkeeper.js' : './kubectl-lockkeeper.js');
