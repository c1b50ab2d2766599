package gate

import "time"

// Row is an action as it is printed, under the core's names.
type Row struct {
	ID             int64             `json:"id"`
	IdempotencyKey string            `json:"idempotencyKey"`
	Source         string            `json:"source,omitempty"`
	Provider       string            `json:"provider"`
	ProviderRef    string            `json:"providerRef,omitempty"`
	Action         string            `json:"action"`
	Target         map[string]string `json:"target"`
	Parameters     map[string]string `json:"parameters,omitempty"`
	Undo           *Undo             `json:"undo,omitempty"`
	Selected       *Selected         `json:"selected,omitempty"`
	RiskLevel      string            `json:"riskLevel,omitempty"`
	Status         Status            `json:"status"`
	ApprovedBy     string            `json:"approvedBy,omitempty"`
	ApprovedAt     *time.Time        `json:"approvedAt,omitempty"`
	ExecutedAt     *time.Time        `json:"executedAt,omitempty"`
	ResultMessage  string            `json:"resultMessage,omitempty"`
	Error          string            `json:"error,omitempty"`
	Observed       map[string]string `json:"observed,omitempty"`
	CreatedAt      *time.Time        `json:"createdAt,omitempty"`
	UpdatedAt      *time.Time        `json:"updatedAt,omitempty"`
	// Unreadable are values of another program that mean nothing here, under the names above.
	Unreadable map[string]string `json:"unreadable,omitempty"`
}

// Row is the action under the core's names.
func (a Action) Row() Row {
	return Row{
		ID: a.ID, IdempotencyKey: a.IdempotencyKey, Source: a.Source,
		Provider: a.Provider, ProviderRef: a.ProviderRef, Action: a.Action,
		Target: full(a.Target), Parameters: a.Parameters, Undo: a.Undo, Selected: a.Selected,
		RiskLevel: a.RiskLevel,
		Status:    a.Status, ApprovedBy: a.ApprovedBy, ApprovedAt: known(a.ApprovedAt),
		ExecutedAt:    known(a.ExecutedAt),
		ResultMessage: a.ResultMessage, Error: a.Error, Observed: a.Observed,
		CreatedAt: known(a.CreatedAt), UpdatedAt: known(a.UpdatedAt),
		Unreadable: a.Unreadable,
	}
}

// known leaves a time that is not known out.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
