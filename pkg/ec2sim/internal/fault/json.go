package fault

import (
	"fmt"
	"time"

	"aws-provider-executor/pkg/ec2sim/internal/refusal"
)

// JSON is a Fault on the control path: the same fields, durations as text ("1.5s"), and an answer
// that is "error" when there is an error.
type JSON struct {
	Name        string            `json:"name,omitempty"`
	Operation   string            `json:"operation,omitempty"`
	Params      map[string]string `json:"params,omitempty"`
	Account     string            `json:"account,omitempty"`
	Region      string            `json:"region,omitempty"`
	AccessKeyID string            `json:"accessKeyId,omitempty"`
	Nth         int               `json:"nth,omitempty"`
	Count       int               `json:"count,omitempty"` // -1 is always
	Probability float64           `json:"probability,omitempty"`
	ChanceSeed  uint64            `json:"chanceSeed,omitempty"`
	DelayBefore string            `json:"delayBefore,omitempty"`
	DelayAfter  string            `json:"delayAfter,omitempty"`
	NoEffect    bool              `json:"noEffect,omitempty"`
	Answer      Answer            `json:"answer,omitempty"` // error, lost, cut or text
	Error       *refusal.Error    `json:"error,omitempty"`
	Text        string            `json:"text,omitempty"`
	Stale       *StaleJSON        `json:"stale,omitempty"`
	Seen        int               `json:"seen,omitempty"`   // only answered
	Struck      int               `json:"struck,omitempty"` // only answered
}

// StaleJSON is a Stale on the control path.
type StaleJSON struct {
	Reads int    `json:"reads,omitempty"`
	For   string `json:"for,omitempty"`
	Flap  bool   `json:"flap,omitempty"`
}

// Fault reads the fault.
func (j JSON) Fault() (Fault, error) {
	f := Fault{
		Name: j.Name, Operation: j.Operation, Params: j.Params, Account: j.Account,
		Region: j.Region, AccessKeyID: j.AccessKeyID,
		Nth: j.Nth, Count: j.Count, Probability: j.Probability, ChanceSeed: j.ChanceSeed,
		NoEffect: j.NoEffect, Answer: j.Answer, Error: j.Error, Text: j.Text,
	}
	if f.Answer == AnswerAsIs && f.Error != nil {
		f.Answer = AnswerError
	}
	if j.Stale != nil {
		f.Stale = &Stale{Reads: j.Stale.Reads, Flap: j.Stale.Flap}
		if err := readDuration(&f.Stale.For, j.Stale.For, "stale.for"); err != nil {
			return f, err
		}
	}
	if err := readDuration(&f.DelayBefore, j.DelayBefore, "delayBefore"); err != nil {
		return f, err
	}
	return f, readDuration(&f.DelayAfter, j.DelayAfter, "delayAfter")
}

func readDuration(into *time.Duration, text, field string) error {
	if text == "" {
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return fmt.Errorf("cannot read %s: %q is not a duration", field, text)
	}
	*into = d
	return nil
}

// ToJSON is what the control path answers of faults.
func ToJSON(states []State) []JSON {
	list := []JSON{}
	for _, s := range states {
		f := s.Fault
		j := JSON{
			Name: f.Label(), Operation: f.Operation, Params: f.Params, Account: f.Account,
			Region: f.Region, AccessKeyID: f.AccessKeyID,
			Nth: f.Nth, Count: f.Count, Probability: f.Probability, ChanceSeed: f.ChanceSeed,
			DelayBefore: durationText(f.DelayBefore), DelayAfter: durationText(f.DelayAfter),
			NoEffect: f.NoEffect, Answer: f.Answer, Error: f.Error, Text: f.Text, Seen: s.Seen,
			Struck: s.Struck,
		}
		if f.Stale != nil {
			j.Stale = &StaleJSON{f.Stale.Reads, durationText(f.Stale.For), f.Stale.Flap}
		}
		list = append(list, j)
	}
	return list
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}
