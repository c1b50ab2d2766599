package executor

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"aws-provider-executor/pkg/plugin"
	"aws-provider-executor/pkg/protocol"
)

const (
	// maxForetold is how large an answer may be that is foretold before a change. The rest of what a
	// core reads is left for what only the change brings: why it failed, in the provider's words.
	maxForetold = protocol.MaxResultBytes - 1<<20
	// maxSentence and maxFacts are how much is kept of an answer that is too large. A byte takes up
	// to six in JSON, and the sentence is told twice.
	maxSentence = 32 << 10
	maxFacts    = 512 << 10
)

// checkSize refuses a request whose answer no core would read to the end. It is asked before
// anything is changed or recorded, with the answer to expect if all goes well.
func (r *run) checkSize(answer protocol.Result) error {
	var size written
	err := protocol.Encode(&size, answer)
	switch {
	case errors.Is(err, protocol.ErrTooLarge), err == nil && size > maxForetold:
		return protocol.Refuse(protocol.LimitExceeded,
			"the result would be too large: a core reads %d bytes, of which %d are kept for what goes "+
				"wrong; nothing was changed; %s", protocol.MaxResultBytes,
			protocol.MaxResultBytes-maxForetold, largest(answer.Status))
	case err != nil:
		return err
	}
	return nil
}

// largest names the part of a status that takes the most.
func largest(s protocol.Status) string {
	name, size := "its sentence", len(s.Message)
	for _, fact := range slices.Sorted(maps.Keys(s.Observed)) {
		if n := len(s.Observed[fact]); n > size {
			name, size = "the fact "+protocol.Quote(fact), n
		}
	}
	return fmt.Sprintf("the most of it is %s, of %d bytes", name, size)
}

// written counts bytes.
type written int

func (w *written) Write(p []byte) (int, error) {
	*w += written(len(p))
	return len(p), nil
}

// TooLarge keeps what it can of a result that no core would read. A failure stays what it is, with
// the beginning of its sentence. Of the facts the shortest are kept, which say what the failure is.
func (r result) TooLarge() plugin.Result {
	said := r.Status
	facts, left := shortest(said.Observed)
	sentence := bounded(said.Message)
	if said.Status != protocol.Failed {
		sentence = fmt.Sprintf("the result (%s) is larger than %d bytes; look at the target before you "+
			"try again", said.Status, protocol.MaxResultBytes)
		facts[protocol.FactFailureClass] = string(protocol.Internal)
		facts[protocol.FactRetryable] = "false"
	}
	if len(left) > 0 {
		sentence += "; too large to be told: " + protocol.KeyList(left)
	}
	status := protocol.Say(protocol.Failed, sentence)
	status.Observed, status.UndoAvailable = facts, said.UndoAvailable
	return result{protocol.NewResult(status)}
}

// shortest are the facts that fit, and the names of the others.
func shortest(all map[string]string) (facts map[string]string, left []string) {
	facts, room := map[string]string{}, maxFacts
	names := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(all[a]), len(all[b])), strings.Compare(a, b))
	})
	for _, name := range names {
		if room -= len(name) + len(all[name]); room < 0 {
			left = append(left, name)
			continue
		}
		facts[name] = all[name]
	}
	return facts, left
}

// bounded is the beginning of a sentence that is too long.
func bounded(sentence string) string {
	if len(sentence) <= maxSentence {
		return sentence
	}
	return strings.ToValidUTF8(sentence[:maxSentence], "") + "…"
}
