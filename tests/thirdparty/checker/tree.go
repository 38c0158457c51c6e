package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/merkle/compact"
	merkle "github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

var (
	hasher = rfc6962.DefaultHasher
	ranges = compact.RangeFactory{Hash: hasher.HashChildren}
)

// rebuild hashes every entry, compares every tile on the way, and must arrive at the signed root, and
// at every kept root when it is there. It returns the leaf hashes.
func rebuild(published source, newest *log.Checkpoint, kept map[uint64][]byte) [][]byte {
	grown := ranges.NewEmptyRange(0)
	reach := func(size uint64) {
		if size == newest.Size && !bytes.Equal(rootOf(grown), newest.Hash) {
			fail("root", "the entries do not lead to the signed root")
		}
		if root, ok := kept[size]; ok && !bytes.Equal(rootOf(grown), root) {
			fail("older root", "the first %d entries do not lead to the root signed for them", size)
		}
	}
	reach(0)
	var leaves [][]byte
	for n := uint64(0); n*256 < newest.Size; n++ {
		width := int(min(256, newest.Size-n*256))
		for _, entry := range bundle(published, n, width) {
			leaf := hasher.HashLeaf(entry)
			leaves = append(leaves, leaf)
			must(0, grown.Append(leaf, nil))("root")
			reach(grown.End())
		}
	}
	level := leaves
	for number := 0; len(level) > 0; number++ {
		var above [][]byte
		for start := 0; start < len(level); start += 256 {
			below := level[start:min(start+256, len(level))]
			stored := must(published.hashes(number, uint64(start/256), len(below)))("tile")
			if !bytes.Equal(stored, bytes.Join(below, nil)) {
				fail("tile", "%d/%d is not what the entries below it lead to", number, start/256)
			}
			if len(below) == 256 {
				above = append(above, fold(below))
			}
		}
		level = above
	}
	return leaves
}

func bundle(published source, n uint64, width int) [][]byte {
	data, full, err := published.tile("entries", n, width)
	must(data, err)("bundle")
	var entries [][]byte
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			fail("bundle", "%d ends inside an entry", n)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		entries, data = append(entries, data[2:end]), data[end:]
	}
	if len(entries) != width && !(full && len(entries) == 256) {
		fail("bundle", "%d has %d entries, not %d", n, len(entries), width)
	}
	return entries[:width]
}

func rootOf(grown *compact.Range) []byte {
	if grown.End() == 0 {
		return hasher.EmptyRoot()
	}
	return must(grown.GetRootHash(nil))("root")
}

func fold(hashes [][]byte) []byte {
	grown := ranges.NewEmptyRange(0)
	for _, hash := range hashes {
		must(0, grown.Append(hash, nil))("tile")
	}
	return rootOf(grown)
}

// proveFromTiles has x/mod make proofs out of the published tiles, and both libraries judge them.
func proveFromTiles(published source, newest *log.Checkpoint, kept map[uint64][]byte) {
	if newest.Size == 0 {
		return
	}
	size, root := int64(newest.Size), tlog.Hash(newest.Hash)
	tiles := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, published)
	for _, index := range []int64{0, size / 3, size - 1} {
		found := must(tlog.ProveRecord(size, index, tiles))("inclusion out of tiles")
		leaf := must(tiles.ReadHashes([]int64{tlog.StoredHashIndex(0, index)}))("inclusion out of tiles")
		must(0, tlog.CheckRecord(found, size, root, index, leaf[0]))("inclusion out of tiles")
	}
	for older, olderRoot := range kept {
		if older == 0 || older == newest.Size {
			continue // Nothing to prove; the roots were compared while the tree was rebuilt.
		}
		found := must(tlog.ProveTree(size, int64(older), tiles))("consistency")
		must(0, tlog.CheckTree(found, size, root, int64(older), tlog.Hash(olderRoot)))("consistency")
		var hashes [][]byte
		for i := range found {
			hashes = append(hashes, found[i][:])
		}
		must(0, merkle.VerifyConsistency(hasher, older, newest.Size, hashes, olderRoot, newest.Hash))("consistency")
	}
}

// receipt is a verified tlog-proof; the entry that it proves is in its extra data.
type receipt struct {
	index      uint64
	leaf       []byte
	checkpoint *log.Checkpoint
}

func openReceipt(trusted trust, data []byte) *receipt {
	var parsed proof.TLogProof
	must(0, parsed.Unmarshal(data))("receipt form")
	var extra struct{ Entry string }
	must(0, json.Unmarshal(parsed.ExtraData, &extra))("receipt form")
	signed := trusted.openWitnessed("receipt checkpoint", parsed.Checkpoint)
	leaf := hasher.HashLeaf([]byte(extra.Entry))
	var hashes [][]byte
	var record tlog.RecordProof
	for _, hash := range parsed.Hashes {
		hashes = append(hashes, bytes.Clone(hash[:]))
		record = append(record, tlog.Hash(hash))
	}
	must(0, merkle.VerifyInclusion(hasher, parsed.Index, signed.Size, leaf, hashes, signed.Hash))("receipt")
	err := tlog.CheckRecord(record, int64(signed.Size), tlog.Hash(signed.Hash), int64(parsed.Index), tlog.Hash(leaf))
	must(0, err)("receipt")
	return &receipt{parsed.Index, leaf, signed}
}
