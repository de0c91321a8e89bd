// Compiles Morpho Blue and the sandbox's own contracts beside it with npm's solc.
// usage: node compile.js <out-dir>   → <out-dir>/<Contract>.json {abi, bytecode, linkReferences}
'use strict'
const fs = require('fs')
const path = require('path')

const BLUE = 'node_modules/@morpho-org/morpho-blue/src'
const SOURCES = [`${BLUE}/Morpho.sol`, `${BLUE}/mocks/IrmMock.sol`, 'contracts/FeedOracle.sol', 'contracts/MorphoGeneralAdapter.sol', 'contracts/SecondLine.sol']
const KEPT = ['Morpho', 'EventsLib', 'IrmMock', 'FeedOracle', 'MorphoGeneralAdapter', 'SecondLine', 'SecondLines']

const read = (name) => fs.readFileSync(path.join(__dirname, name), 'utf8')
const importFile = (name) => {
  try {
    return { contents: read(name) }
  } catch {
    return { error: `${name} not found` }
  }
}
const input = {
  language: 'Solidity',
  sources: Object.fromEntries(SOURCES.map((name) => [name, { content: read(name) }])),
  settings: {
    evmVersion: 'paris',
    optimizer: { enabled: true, runs: 999999 },
    outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
  },
}
const result = JSON.parse(require('solc').compile(JSON.stringify(input), { import: importFile }))
const errors = (result.errors || []).filter((error) => error.severity === 'error')
if (errors.length) {
  errors.slice(0, 10).forEach((error) => console.error(error.formattedMessage))
  process.exit(1)
}
const found = Object.assign({}, ...Object.values(result.contracts))
const events = found.EventsLib.abi // Morpho declares its events in a library: its own interface has none
fs.mkdirSync(process.argv[2], { recursive: true })
for (const name of KEPT) {
  const { abi, evm } = found[name]
  const whole = name === 'Morpho' ? [...abi, ...events] : abi
  const built = { abi: whole, bytecode: `0x${evm.bytecode.object}`, linkReferences: {} }
  fs.writeFileSync(path.join(process.argv[2], `${name}.json`), JSON.stringify(built))
}
console.log(`${KEPT.length} contracts`)
