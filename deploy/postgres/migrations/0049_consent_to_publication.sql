-- What the log shows once it shows for ever, so that an owner consents first. Organizations that applied had
-- `public_full` by default, and nobody had said so; those that operators registered were asked then.
UPDATE edge.organizations SET visibility = 'public_aggregated'
WHERE applied_by IS NOT NULL AND visibility = 'public_full';
