// checker verifies a C2SP tlog-tiles log with code that nobody of this project wrote: signatures,
// trees, proofs and policies are judged by golang.org/x/mod/sumdb and transparency-dev's formats
// and merkle. Here it is only said what is compared with what.
//
//	checker -log DIR_OR_URL -key VKEY_FILE [-checkpoint NAME] [-old FILE] [-receipt FILE] [-policy FILE]
//
// It exits with 0 and a last line "PASS ..." only when all that was asked for holds; otherwise with
// 1 and one line "FAIL <what>: <why>".
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/formats/witness"
	"golang.org/x/mod/sumdb/note"
)

type failure struct{ what, why string }

// fail ends the check; main prints it.
func fail(what, why string, values ...any) {
	panic(failure{what, fmt.Sprintf(why, values...)})
}

func must[T any](value T, err error) func(what string) T {
	return func(what string) T {
		if err != nil {
			fail(what, "%v", err)
		}
		return value
	}
}

// trust is what the checking person brought.
type trust struct {
	log    note.Verifier
	policy *witness.Group
}

// open verifies a signed checkpoint of this log's origin.
func (t trust) open(what string, signed []byte) *log.Checkpoint {
	must(note.Open(signed, note.VerifierList(t.log)))(what + " signature")
	checkpoint, _, _, err := log.ParseCheckpoint(signed, t.log.Name(), t.log)
	must(checkpoint, err)(what + " form")
	if len(checkpoint.Hash) != 32 {
		fail(what+" form", "the root has %d bytes", len(checkpoint.Hash))
	}
	return checkpoint
}

// openWitnessed asks for the policy's quorum too, where a policy was given.
func (t trust) openWitnessed(what string, signed []byte) *log.Checkpoint {
	checkpoint := t.open(what, signed)
	if t.policy != nil && !t.policy.Satisfied(signed) {
		fail(what+" quorum", "the policy is not satisfied")
	}
	return checkpoint
}

func main() {
	location := flag.String("log", "", "directory or URL of the log")
	keyFile := flag.String("key", "", "file with the log's verifier key")
	name := flag.String("checkpoint", "checkpoint", "the log's file to start from")
	oldFile := flag.String("old", "", "a checkpoint that was kept from before")
	receiptFile := flag.String("receipt", "", "a receipt, .tlog-proof")
	policyFile := flag.String("policy", "", "a tlog-policy that the checkpoint and the receipt must meet")
	flag.Parse()
	if *location == "" || *keyFile == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	defer func() {
		switch found := recover().(type) {
		case nil:
		case failure:
			fmt.Printf("FAIL %s: %s\n", found.what, found.why)
			os.Exit(1)
		default:
			panic(found)
		}
	}()

	key := strings.TrimSpace(string(must(os.ReadFile(*keyFile))("key")))
	trusted := trust{log: must(note.NewVerifier(key))("key")}
	if *policyFile != "" {
		policy := must(witness.ParsePolicy(must(os.ReadFile(*policyFile))("policy")))("policy")
		trusted.policy = &policy
	}
	published := source{*location}
	newest := trusted.openWitnessed("checkpoint", must(published.read(*name))("checkpoint"))

	// What was kept from before comes first: these sizes must be passed on the way to the root.
	kept := map[uint64][]byte{}
	if *oldFile != "" {
		keep(kept, newest, trusted.open("old checkpoint", must(os.ReadFile(*oldFile))("old checkpoint")))
	}
	var held *receipt
	if *receiptFile != "" {
		held = openReceipt(trusted, must(os.ReadFile(*receiptFile))("receipt"))
		keep(kept, newest, held.checkpoint)
	}

	leaves := rebuild(published, newest, kept)
	if held != nil && string(leaves[held.index]) != string(held.leaf) {
		fail("receipt", "entry %d of the log is another one", held.index)
	}
	proveFromTiles(published, newest, kept)
	fmt.Printf("PASS %s, %d entries, %d older sizes\n", newest.Origin, newest.Size, len(kept))
}

// keep remembers an older signed tree; one that is larger, or of another root, ends the check.
func keep(kept map[uint64][]byte, newest, older *log.Checkpoint) {
	if older.Size > newest.Size {
		fail("truncation", "the log has %d entries and had %d", newest.Size, older.Size)
	}
	if root, ok := kept[older.Size]; ok && string(root) != string(older.Hash) {
		fail("fork", "two roots were signed for %d entries", older.Size)
	}
	kept[older.Size] = older.Hash
}
