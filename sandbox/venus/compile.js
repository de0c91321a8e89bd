// Compiles the oracle over the world's feeds with the sandbox's own solc.
// usage: node compile.js <out-dir>
'use strict'
const fs = require('fs')
const path = require('path')

const content = fs.readFileSync(path.join(__dirname, 'contracts/VenusPrice.sol'), 'utf8')
const settings = {
  evmVersion: 'cancun',
  optimizer: { enabled: true, runs: 200 },
  outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } },
}
const input = { language: 'Solidity', sources: { 'VenusPrice.sol': { content } }, settings }
const result = JSON.parse(require('solc').compile(JSON.stringify(input)))
const errors = (result.errors || []).filter((error) => error.severity === 'error')
if (errors.length) {
  errors.slice(0, 10).forEach((error) => console.error(error.formattedMessage))
  process.exit(1)
}
const { abi, evm } = result.contracts['VenusPrice.sol'].VenusPrice
const built = { abi, bytecode: `0x${evm.bytecode.object}`, linkReferences: {} }
fs.writeFileSync(path.join(process.argv[2], 'VenusPrice.json'), JSON.stringify(built))
