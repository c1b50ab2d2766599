package journal

import (
	"context"

	"aws-provider-executor/pkg/gate"
)

// Count is how many actions of a verb have a status.
type Count struct {
	Status gate.Status `json:"status"`
	Action string      `json:"action"`
	Number int64       `json:"number"`
}

// Counts counts all actions, by their status and then by their verb. Nothing is held against the
// log.
func (j *Journal) Counts(ctx context.Context) ([]Count, error) {
	var all []Count
	err := j.read(ctx, func(v view) error {
		all = []Count{}
		rows, err := v.QueryContext(v.ctx, "SELECT status, action, count(*) FROM "+coreTable+
			" GROUP BY status, action ORDER BY status, action")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var status, action any
			var c Count
			if err := rows.Scan(&status, &action, &c.Number); err != nil {
				return err
			}
			c.Status, c.Action = gate.Status(textOf(status)), string(textOf(action))
			all = append(all, c)
		}
		return rows.Err()
	})
	return all, err
}
