// Compiles Permit2 from the sources that the router's package brings, with npm's solc, as its own settings say.
// usage: node compile.js <out-dir>   → <out-dir>/Permit2.json {abi, bytecode, linkReferences}
'use strict'
const fs = require('fs')
const path = require('path')

const PERMIT2 = 'node_modules/@uniswap/universal-router/lib/permit2'
const FIRST = `${PERMIT2}/src/Permit2.sol`

const read = (name) => fs.readFileSync(path.join(__dirname, name), 'utf8')
const importFile = (name) => {
  try {
    return { contents: read(name.startsWith('solmate/') ? `${PERMIT2}/lib/${name}` : name) }
  } catch {
    return { error: `${name} not found` }
  }
}
const input = {
  language: 'Solidity',
  sources: { [FIRST]: { content: read(FIRST) } },
  settings: {
    viaIR: true,
    optimizer: { enabled: true, runs: 1000000 },
    metadata: { bytecodeHash: 'none' },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
  },
}
const result = JSON.parse(require('solc').compile(JSON.stringify(input), { import: importFile }))
const errors = (result.errors || []).filter((error) => error.severity === 'error')
if (errors.length) {
  errors.slice(0, 10).forEach((error) => console.error(error.formattedMessage))
  process.exit(1)
}
const { abi, evm } = result.contracts[FIRST].Permit2
fs.mkdirSync(process.argv[2], { recursive: true })
fs.writeFileSync(path.join(process.argv[2], 'Permit2.json'), JSON.stringify({ abi, bytecode: `0x${evm.bytecode.object}`, linkReferences: {} }))
console.log('Permit2')
