package main

import (
	"crypto/ed25519"
	"database/sql"
	"encoding/pem"

	"golang.org/x/crypto/ssh"
	_ "modernc.org/sqlite" // the journal's own engine
)

// signatures shows an approval that counts by its signature alone, and a journal that somebody
// changed behind actionctl's back. The second action of the journal was approved without one.
func (o *operator) signatures(journal string) {
	o.Heading("A signed approval, and a journal that somebody changed")
	o.Do(o.writeKey)
	const approvers = "approvers: allowed_signers"
	o.refusesUnder(approvers, "execute 2", "…the approval of ann is not signed")
	approve := o.under(approvers, o.command(done, "approve 2 --by ann@example.org --sign ann.key",
		"2 mobility-7/forward: approved"))
	approve.Dir, approve.Note = o.Dir, "" // the note would need a line
	o.Play(approve)
	o.Play(o.under(approvers, o.command(done, "execute 2", "2 mobility-7/forward: enabled")))
	o.prepares("rollback 2", "2 mobility-7/forward: disabled")
	o.prepares("journal --verify", "as it was written")
	o.Say("Somebody sets action 2 to approved in the journal's file, to run it again.")
	o.Do(func() error { return approveBehindItsBack(journal) })
	o.refuses("execute 2", "", "the row of action 2 was changed…")
	o.Play(o.command(failed, "journal --verify", "its row was changed"))
}

// writeKey writes Ann's key, and the list of who may approve.
func (o *operator) writeKey() error {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return err
	}
	block, err := ssh.MarshalPrivateKey(private, "ann")
	if err != nil {
		return err
	}
	if _, err := o.write("ann.key", string(pem.EncodeToMemory(block))); err != nil {
		return err
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return err
	}
	_, err = o.write("allowed_signers", "ann@example.org "+string(ssh.MarshalAuthorizedKey(key)))
	return err
}

// approveBehindItsBack has the second action of a journal be approved, without a word in its log.
func approveBehindItsBack(journal string) error {
	db, err := sql.Open("sqlite", journal)
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.Exec("UPDATE action_executions SET status = 'approved' WHERE id = 2")
	return err
}
