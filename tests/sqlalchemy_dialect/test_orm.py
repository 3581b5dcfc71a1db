"""Sessions and mapped classes."""

from __future__ import annotations

import pytest
from engines import Engine
from sqlalchemy import ForeignKey, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    mapped_column,
    relationship,
    selectinload,
)
from sqlalchemy.orm.exc import StaleDataError


class Base(DeclarativeBase):
    pass


class Author(Base):
    __tablename__ = "orm_authors"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    version: Mapped[int] = mapped_column(default=0)
    books: Mapped[list[Book]] = relationship(back_populates="author", cascade="all, delete-orphan")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 (that is SQLAlchemy's way)


class Book(Base):
    __tablename__ = "orm_books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey("orm_authors.id"))
    author: Mapped[Author] = relationship(back_populates="books")


async def test_a_session(engine: Engine) -> None:
    async with engine() as opened:
        async with opened.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        try:
            async with AsyncSession(opened, expire_on_commit=False) as session:
                authors = [Author(name=f"author {i}") for i in range(20)]
                for author in authors:
                    author.books = [Book(title=f"{k} by {author.name}") for k in range(3)]
                session.add_all(authors)
                await session.commit()
                assert all(author.id for author in authors)

                for author in authors:  # one executemany, whose count tells that all are found
                    author.name = author.name.upper()
                await session.commit()
                assert {author.version for author in authors} == {2}

                query = select(Author).options(selectinload(Author.books)).order_by(Author.id)
                found = (await session.scalars(query)).unique().all()
                assert [len(each.books) for each in found] == [3] * 20
                streamed = await session.stream_scalars(select(Book).order_by(Book.id))
                assert len([book async for book in streamed]) == 60

                session.add(Author(name="AUTHOR 1"))
                with pytest.raises(IntegrityError, match="orm_authors_name_key"):
                    await session.commit()
                await session.rollback()
                await session.delete(authors[0])
                await session.commit()
                assert await session.scalar(text("SELECT count(*) FROM orm_books")) == 57
        finally:
            async with opened.begin() as conn:
                await conn.run_sync(Base.metadata.drop_all)


async def test_rows_that_somebody_else_has_changed(engine: Engine) -> None:
    """Of an UPDATE for many rows the driver tells how many were found."""
    async with engine() as opened:
        async with opened.begin() as conn:
            await conn.run_sync(Base.metadata.create_all)
        try:
            async with AsyncSession(opened, expire_on_commit=False) as session:
                authors = [Author(name=f"author {i}") for i in range(3)]
                session.add_all(authors)
                await session.commit()
                async with opened.begin() as conn:
                    changed = update(Author).where(Author.id == authors[1].id).values(version=9)
                    await conn.execute(changed)
                for author in authors:
                    author.name += "!"
                with pytest.raises(StaleDataError, match="3 row"):
                    await session.commit()
                await session.rollback()
        finally:
            async with opened.begin() as conn:
                await conn.run_sync(Base.metadata.drop_all)
