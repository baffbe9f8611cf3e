"""What may differ between the twins. It is hidden from everybody but a few, and no constraint compares it."""

SECRETS = (
    # Values that are masked, some of them as large as they get.
    "UPDATE doctors SET pay = 499 WHERE id = 'ann'",
    "UPDATE doctors SET thanks = 2147483647 WHERE id = 'ann'",
    "UPDATE doctors SET thanks = 2147483647 WHERE id = 'cat'",
    "UPDATE wards SET budget = 999 WHERE id = 1",
    "UPDATE wards SET budget = -2147483648 WHERE id = 4",
    "UPDATE patients SET weight = 169 WHERE id = 1",
    "UPDATE patients SET tags = '{secret,x,y}', data = NULL WHERE id = 1",
    "UPDATE patients SET weight = 174, data = '{\"a\": 1}' WHERE id = 4",
    "UPDATE patients SET weight = 1 WHERE id = 3",
    "UPDATE stays SET cost = 2147483647 WHERE id IN (1, 4, 5)",
    "UPDATE votes SET weight = 2147483647 WHERE voter_id IN ('ann', 'dan')",
    "UPDATE votes SET reason = NULL WHERE voter_id IN ('ann', 'dan')",
    # To-ones that are masked.
    "UPDATE stays SET patient_id = 3 WHERE id = 1",
    "UPDATE stays SET patient_id = NULL WHERE id = 5",
    "UPDATE stays SET patient_id = 1 WHERE id = 4",
    # Rows that are hidden.
    "UPDATE doctors SET name = 'x', pay = 2147483647 WHERE id = 'dan'",
    "UPDATE wards SET name = 'x', budget = 3 WHERE id = 3",
    "UPDATE bunks SET label = 'x' WHERE taken",
    "UPDATE stays SET cost = 1, patient_id = 4 WHERE id = 2",
    "DELETE FROM stays WHERE id = 2",
    "UPDATE drugs SET grams = 9, locked = true WHERE id = 3",
    "DELETE FROM doses WHERE drug_id = 3",
    "INSERT INTO doses (patient_id, drug_id) VALUES (2, 3)",
    "UPDATE entries SET text = 'x', count = 2147483647 WHERE shelf = 3",
    "UPDATE entries SET parent_id = 6 WHERE id = 5",
    "UPDATE entries SET chief = true WHERE id = 5",
    "UPDATE entries SET reader = 'dan' WHERE id = 5",
    "UPDATE reviews SET score = 2147483647 WHERE doctor_id IN ('ben', 'cat')",
    "DELETE FROM reviews WHERE id IN (1, 2)",
    "UPDATE tags SET inner_code = 'k9' WHERE id = 1",
    # A key that is masked. For all viewers the digests of the others are in the same place.
    "UPDATE lockers SET id = 8 WHERE id = 2",
    "UPDATE lockers SET id = 9 WHERE id = 2",
    "UPDATE lockers SET id = 10 WHERE id = 2",
    # Rows that are deleted.
    "UPDATE patients SET phase = 'DONE', weight = 1 WHERE id = 6",
    "UPDATE patients SET ward_id = 1 WHERE id = 6",
    "DELETE FROM stays WHERE id = 8",
    "UPDATE stays SET ward_id = 1 WHERE id = 8",
)

SEEN = {"cat": ["UPDATE doctors SET thanks = 2147483647 WHERE id = 'cat'"]}
"""What the few see, by the viewer."""
