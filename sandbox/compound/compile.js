// Compiles the Comet stand-in with the sandbox's own solc.
// usage: node compile.js <out-dir>   → <out-dir>/<Contract>.json {abi, bytecode, linkReferences}
'use strict'
const fs = require('fs')
const path = require('path')

const FOLDER = path.join(__dirname, 'contracts')
const NAMES = fs.readdirSync(FOLDER)
const sources = Object.fromEntries(NAMES.map((name) => [name, { content: fs.readFileSync(path.join(FOLDER, name), 'utf8') }]))
const importFile = (name) => {
  const found = [path.join(FOLDER, name), path.join(__dirname, '..', name), path.join(__dirname, '../node_modules', name)]
  const at = found.find((file) => fs.existsSync(file))
  return at ? { contents: fs.readFileSync(at, 'utf8') } : { error: `${name} not found` }
}
const settings = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 200 },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
}
const result = JSON.parse(require('solc').compile(JSON.stringify({ language: 'Solidity', sources, settings }), { import: importFile }))
const errors = (result.errors || []).filter((error) => error.severity === 'error')
if (errors.length) {
  errors.slice(0, 10).forEach((error) => console.error(error.formattedMessage))
  process.exit(1)
}
fs.mkdirSync(process.argv[2], { recursive: true })
for (const [file, contracts] of Object.entries(result.contracts)) {
  if (!NAMES.includes(file)) continue
  const name = path.basename(file, '.sol')
  const { abi, evm } = contracts[name]
  const built = { abi, bytecode: `0x${evm.bytecode.object}`, linkReferences: {} }
  fs.writeFileSync(path.join(process.argv[2], `${name}.json`), JSON.stringify(built))
}
console.log(`${NAMES.length} contracts`)
